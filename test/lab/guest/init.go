package guest

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// probeMark is printed by a guest that was booted only to see whether it boots.
const probeMark = "lab: guest is up"

// IsInit reports whether this process is the first one of a lab guest.
func IsInit() bool { return os.Getpid() == 1 && os.Args[0] == "/init" }

// Init is the guest's first process. It never returns: it sets the guest up,
// runs the plan, reaps whatever is orphaned, leaves the exit status in the
// results folder, and switches the machine off.
func Init() {
	code := 1
	defer powerOff()
	if err := mount("proc", "/proc", "proc", 0, ""); err != nil {
		fmt.Println("lab:", err)
		return
	}
	line := commandLine()
	if _, ok := line["lab.probe"]; ok {
		fmt.Println(probeMark)
		return
	}
	out := line["lab.out"]
	if err := prepare(line); err != nil {
		fmt.Println("lab: set-up failed:", err)
		return
	}
	p, err := readPlan(out)
	if err == nil {
		fmt.Println("lab: starting", p.Args)
		code, err = child(p)
	}
	if err != nil {
		fmt.Println("lab:", err)
	}
	if err := os.WriteFile(filepath.Join(out, codeFile), []byte(strconv.Itoa(code)), 0o644); err != nil {
		fmt.Println("lab:", err)
	}
}

func powerOff() {
	unix.Sync()
	// With QEMU's -no-reboot a restart is the quickest way to end.
	if err := unix.Reboot(unix.LINUX_REBOOT_CMD_RESTART); err != nil {
		fmt.Println("lab: reboot:", err)
	}
	select {}
}

func commandLine() map[string]string {
	b, err := os.ReadFile("/proc/cmdline")
	if err != nil {
		fmt.Println("lab:", err)
	}
	m := make(map[string]string)
	for _, f := range strings.Fields(string(b)) {
		k, v, _ := strings.Cut(f, "=")
		m[k] = v
	}
	return m
}

func mount(source, target, fstype string, flags uintptr, data string) error {
	if err := unix.Mount(source, target, fstype, flags, data); err != nil {
		return fmt.Errorf("mount %s on %s: %w", fstype, target, err)
	}
	return nil
}

// prepare mounts the host's files and makes them the root.
func prepare(line map[string]string) error {
	if err := loadModules("/modules/1"); err != nil {
		return err
	}
	// Read-only files never change under the guest: cache=loose keeps what was read.
	if err := unix.Mount("root", "/root", "9p", unix.MS_RDONLY, "trans=virtio,version=9p2000.L,msize=262144,cache=loose"); err != nil {
		return fmt.Errorf("mount the host's root: %w", err)
	}
	steps := []struct{ source, target, fstype, data string }{
		{"proc", "/root/proc", "proc", ""},
		{"sys", "/root/sys", "sysfs", ""},
		{"dev", "/root/dev", "devtmpfs", ""},
		{"tmp", "/root/tmp", "tmpfs", ""},
		{"run", "/root/run", "tmpfs", ""},
		{"var", "/root/var/lib", "tmpfs", ""}, // where programs keep state, and all else is the host's
		{"cgroup2", "/root/sys/fs/cgroup", "cgroup2", ""},
	}
	for _, s := range steps {
		if err := mount(s.source, s.target, s.fstype, 0, s.data); err != nil {
			return err
		}
	}
	for _, d := range []string{"/root/dev/pts", "/root/dev/shm", "/root/run/netns", "/root/run/lock"} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return fmt.Errorf("make guest folder: %w", err)
		}
	}
	if err := errors.Join(mount("devpts", "/root/dev/pts", "devpts", 0, "ptmxmode=0666"), mount("shm", "/root/dev/shm", "tmpfs", 0, "")); err != nil {
		return err
	}
	links := map[string]string{"fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1", "stderr": "/proc/self/fd/2"}
	for name, to := range links {
		if err := os.Symlink(to, "/root/dev/"+name); err != nil && !errors.Is(err, os.ErrExist) {
			return fmt.Errorf("link /dev/%s: %w", name, err)
		}
	}
	if err := loadModules("/modules/2"); err != nil {
		return err
	}
	// As switch_root does: the new root must lie on top of the first one, or who
	// enters a mount namespace later finds himself in the initramfs.
	if err := errors.Join(os.Chdir("/root"), unix.Mount(".", "/", "", unix.MS_MOVE, ""), unix.Chroot("."), os.Chdir("/")); err != nil {
		return fmt.Errorf("change root: %w", err)
	}
	shares := []struct{ tag, opts string }{{"cache", "ro,cache=loose"}, {"project", "ro,cache=loose"}, {"out", "cache=mmap"}}
	for _, s := range shares {
		path := line["lab."+s.tag]
		if path == "" {
			continue
		}
		if err := os.MkdirAll(path, 0o755); err != nil {
			return fmt.Errorf("make folder for share %s: %w", s.tag, err)
		}
		opts, ro := strings.CutPrefix(s.opts, "ro,")
		flags := uintptr(0)
		if ro {
			flags = unix.MS_RDONLY
		}
		if err := unix.Mount(s.tag, path, "9p", flags, "trans=virtio,version=9p2000.L,msize=262144,"+opts); err != nil {
			return fmt.Errorf("mount share %s: %w", s.tag, err)
		}
	}
	if err := unix.Sethostname([]byte("lab")); err != nil {
		return fmt.Errorf("set host name: %w", err)
	}
	return nil
}

// loadModules loads the files of dir, in the order of their names.
func loadModules(dir string) error {
	files, err := os.ReadDir(dir) // sorted
	if err != nil {
		return fmt.Errorf("list modules: %w", err)
	}
	for _, e := range files {
		f, err := os.Open(filepath.Join(dir, e.Name()))
		if err != nil {
			return fmt.Errorf("open module: %w", err)
		}
		err = unix.FinitModule(int(f.Fd()), "", 0)
		f.Close()
		if err != nil && !errors.Is(err, unix.EEXIST) {
			fmt.Printf("lab: module %s: %v\n", e.Name(), err) // not fatal: what needs it says so
		}
	}
	return nil
}

func readPlan(out string) (*plan, error) {
	b, err := os.ReadFile(filepath.Join(out, planFile))
	if err != nil {
		return nil, fmt.Errorf("read plan: %w", err)
	}
	var p plan
	if err := json.Unmarshal(b, &p); err != nil {
		return nil, fmt.Errorf("read plan: %w", err)
	}
	return &p, nil
}

// child starts the lab on the second serial port and waits for it, reaping
// every other process that ends meanwhile.
func child(p *plan) (int, error) {
	tty, err := os.OpenFile("/dev/ttyS1", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return 0, fmt.Errorf("open serial port: %w", err)
	}
	defer tty.Close()
	if err := plainOutput(int(tty.Fd())); err != nil {
		return 0, err
	}
	if p.Pulse {
		go sendPulse(tty)
	}
	env := append([]string{}, p.Env...)
	env = append(env, fmt.Sprintf("LAB_BOOT_SECONDS=%.1f", time.Since(p.Began).Seconds()))
	proc, err := os.StartProcess("/proc/self/exe", append([]string{"lab"}, p.Args...), &os.ProcAttr{
		Dir: p.Dir, Env: env, Files: []*os.File{tty, tty, tty},
		Sys: &syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: 0},
	})
	if err != nil {
		return 0, fmt.Errorf("start the lab: %w", err)
	}
	for {
		var status unix.WaitStatus
		pid, err := unix.Wait4(-1, &status, 0, nil)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return 0, fmt.Errorf("wait for the lab: %w", err)
		case pid != proc.Pid:
		case status.Exited():
			return status.ExitStatus(), nil
		case status.Signaled():
			return 128 + int(status.Signal()), nil
		}
	}
}

// plainOutput stops the terminal line discipline from turning \n into \r\n.
func plainOutput(fd int) error {
	t, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return fmt.Errorf("read terminal settings: %w", err)
	}
	t.Oflag &^= unix.ONLCR
	t.Lflag &^= unix.ECHO
	if err := unix.IoctlSetTermios(fd, unix.TCSETS, t); err != nil {
		return fmt.Errorf("set terminal: %w", err)
	}
	return nil
}
