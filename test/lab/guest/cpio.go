package guest

import (
	"bytes"
	"fmt"
)

// archive builds an initramfs in the "newc" format
// (Documentation/driver-api/early-userspace/buffer-format.rst). It is left
// uncompressed: under emulation the guest copies faster than it inflates.
type archive struct {
	buf bytes.Buffer
	ino int
}

const (
	modeDir  = 0o040755
	modeFile = 0o100755
	modeChar = 0o020600
)

func (a *archive) dir(name string)               { a.entry(name, modeDir, nil, 0, 0) }
func (a *archive) file(name string, data []byte) { a.entry(name, modeFile, data, 0, 0) }

// char adds a character device; without dev/console the kernel gives its first
// process no standard output.
func (a *archive) char(name string, major, minor int) { a.entry(name, modeChar, nil, major, minor) }

func (a *archive) entry(name string, mode int, data []byte, major, minor int) {
	a.ino++
	// magic ino mode uid gid nlink mtime filesize devmajor devminor rdevmajor rdevminor namesize check
	fmt.Fprintf(&a.buf, "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x",
		a.ino, mode, 0, 0, 1, 0, len(data), 0, 0, major, minor, len(name)+1, 0)
	a.buf.WriteString(name)
	a.buf.WriteByte(0)
	a.pad()
	a.buf.Write(data)
	a.pad()
}

func (a *archive) pad() {
	for a.buf.Len()%4 != 0 {
		a.buf.WriteByte(0)
	}
}

// bytes ends the archive and returns it.
func (a *archive) bytes() []byte {
	a.entry("TRAILER!!!", 0, nil, 0, 0)
	return a.buf.Bytes()
}
