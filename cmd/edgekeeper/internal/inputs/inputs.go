// Package inputs reads what a configuration is made of, and tells later, without
// making it again, whether it would be another one.
//
// What is made by a function of what it reads through a Reader, and of nothing
// else, is the same as long as every answer is.
package inputs

import (
	"bytes"
	"crypto/sha256"
	"io"
	"io/fs"
	"os"
	"strings"
)

// Reader reads files and asks for variables, and remembers of each answer a
// digest. An error is an answer like any other. It is used by one goroutine at a
// time.
type Reader struct {
	env     func(string) string
	answers map[string]*answer
	blind   bool // something was read that is not remembered
}

// answer is what was found, and how to look again.
type answer struct {
	found digest
	again func() digest
}

type digest [sha256.Size]byte

// New returns a Reader that has read nothing. env gives environment variables
// (os.Getenv); nil is an empty environment.
func New(env func(string) string) *Reader {
	if env == nil {
		env = func(string) string { return "" }
	}
	return &Reader{env: env, answers: map[string]*answer{}}
}

// Same asks everything again and reports whether every answer is what it was.
// Where nothing was read, or r is nil, nobody knows, and it is false.
func (r *Reader) Same() bool {
	if r == nil || r.blind || len(r.answers) == 0 {
		return false
	}
	for _, a := range r.answers {
		if a.again() != a.found {
			return false
		}
	}
	return true
}

// remember keeps the answer to a question. What is answered in two ways within
// one reading stays different for good: one of them was used, and nobody knows
// for what.
func (r *Reader) remember(question string, found digest, again func() digest) {
	if before := r.answers[question]; before != nil && before.found != found {
		found = digest{}
	}
	r.answers[question] = &answer{found, again}
}

// Text gives what ask gives, which is asked again by Same. The question is its
// name: no two that can differ have the same.
func (r *Reader) Text(question string, ask func() (string, error)) (string, error) {
	text, err := ask()
	r.remember(question, digestOf(strings.NewReader(text), err), func() digest {
		text, err := ask()
		return digestOf(strings.NewReader(text), err)
	})
	return text, err
}

// Env gives an environment variable, empty when it is not set.
func (r *Reader) Env(name string) string {
	value, _ := r.Text("variable "+name, func() (string, error) { return r.env(name), nil })
	return value
}

// Hostname is os.Hostname.
func (r *Reader) Hostname() (string, error) { return r.Text("host name", os.Hostname) }

// File is os.ReadFile.
func (r *Reader) File(name string) ([]byte, error) {
	text, err := os.ReadFile(name)
	r.file("file "+name, text, err, func() (io.ReadCloser, error) { return os.Open(name) })
	return text, err
}

// file remembers a file. To look again, a large one is not held whole.
func (r *Reader) file(question string, text []byte, err error, open func() (io.ReadCloser, error)) {
	r.remember(question, digestOf(bytes.NewReader(text), err), func() digest {
		f, err := open()
		if err != nil {
			return digestOf(nil, err)
		}
		defer func() { _ = f.Close() }() // only read
		return digestOf(f, nil)
	})
}

// FS is fsys, the only one of this Reader. Files of it that are read whole
// (fs.ReadFile) and what is found by pattern (fs.Glob) are remembered. What is
// opened otherwise cannot be, and then nothing is the same.
func (r *Reader) FS(fsys fs.FS) fs.FS { return &remembered{r, fsys} }

type remembered struct {
	r    *Reader
	fsys fs.FS
}

func (m *remembered) Open(name string) (fs.File, error) {
	m.r.blind = true
	return m.fsys.Open(name)
}

func (m *remembered) ReadFile(name string) ([]byte, error) {
	text, err := fs.ReadFile(m.fsys, name)
	m.r.file("file of the file system "+name, text, err, func() (io.ReadCloser, error) { return m.fsys.Open(name) })
	return text, err
}

func (m *remembered) Glob(pattern string) ([]string, error) {
	var found []string
	_, err := m.r.Text("pattern "+pattern, func() (string, error) {
		names, err := fs.Glob(m.fsys, pattern)
		found = names
		return strings.Join(names, "\x00"), err
	})
	return found, err
}

// digestOf tells apart what was read, or could not be.
func digestOf(text io.Reader, err error) (d digest) {
	h := sha256.New()
	if err == nil {
		_, _ = h.Write([]byte{'t'}) // writing to a hash never fails
		_, err = io.Copy(h, text)
	}
	if err != nil {
		h.Reset()
		_, _ = io.WriteString(h, "e"+err.Error())
	}
	return digest(h.Sum(d[:0]))
}
