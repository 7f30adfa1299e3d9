// Package guest runs the lab in a virtual machine, for hosts whose kernel has
// no IPVS.
//
// The guest is QEMU with Debian's stock kernel on this machine's own files:
// the host's root is its root, read-only over 9p; /tmp and /run are memory.
// The lab's own binary is the guest's first process (see Init): it mounts the
// file systems, loads the modules, and starts the lab again as its child.
// What the lab writes below its results folder is on the host at once; its
// standard streams are the guest's second serial port.
package guest

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// Log receives progress lines, without a line end.
type Log func(format string, args ...any)

// Spec says what to run in the guest.
type Spec struct {
	Args   []string      // arguments of the lab in the guest
	Env    []string      // its environment, NAME=value
	Lab    string        // statically linked lab binary, becomes the guest's init
	Dir    string        // its working folder, and the project's root
	Out    string        // results folder, shared writable under the same path
	Cache  string        // cache folder, shared read-only under the same path
	Limit  time.Duration // the guest is killed after this
	Shell  bool          // connect the caller's terminal
	Memory int           // MiB, default 4096
	CPUs   int           // default 2
}

// plan is what the host leaves in the results folder for Init.
type plan struct {
	Args, Env []string
	Dir       string
	Began     time.Time // when QEMU was started
	Pulse     bool      // signs of life are wanted
}

// names inside the results folder
const (
	planFile    = ".guest-plan.json"
	codeFile    = ".guest-exit"
	consoleFile = "console.log"
	frozenFile  = "frozen.txt"
)

// stage1 is loaded before the root is mounted, stage2 after.
var (
	stage1 = []string{"virtio_pci", "9pnet_virtio", "9p"}
	stage2 = []string{
		"crc32c_generic", "crc32c_intel", // libcrc32c asks for them by request_module, which needs a user space
		"veth", "bridge", "dummy", "macvlan", "sch_netem", "sch_tbf", "ip_vs", "ip_vs_rr", "ip_vs_wrr", "ip_vs_lc", "ip_vs_wlc",
		"ip_vs_sh", "ip_vs_dh", "ip_vs_mh", "ip_vs_sed", "ip_vs_nq", "ip_vs_fo", "ip_vs_ovf", "ip_vs_lblc", "ip_vs_lblcr", "ip_vs_pe_sip",
		"ipip", "sit", "ip6_tunnel", "ip_gre", "ip6_gre", "fou", "fou6",
		"nf_tables", "nft_compat", "nft_chain_nat", "nft_masq", "ip_tables", "iptable_filter", "iptable_nat", "xt_tcpudp", "xt_mark", "ip_set", "xt_set", "softdog", "sctp",
	}
)

// ErrLimit is wrapped by Run's error when the guest did not end in time.
var ErrLimit = errors.New("guest did not end in its time limit")

// Run boots a guest, runs spec in it, and returns the exit status of the lab
// there. Its output goes to out as it comes.
func Run(ctx context.Context, spec Spec, out io.Writer, log Log) (int, error) {
	if err := Packages(ctx, map[string]string{"qemu-system-x86_64": "qemu-system-x86"}, log); err != nil {
		return 0, err
	}
	k, err := findKernel(ctx, filepath.Join(spec.Cache, "guest", "kernel"), log)
	if err != nil {
		return 0, err
	}
	initrd := filepath.Join(spec.Cache, "guest", "initramfs."+strconv.Itoa(os.Getpid()))
	if err := writeInitramfs(initrd, spec.Lab, k); err != nil {
		return 0, err
	}
	defer os.Remove(initrd)
	accel, err := accelerator(ctx, spec.Cache, k, initrd, log)
	if err != nil {
		return 0, err
	}
	began := time.Now()
	if err := writePlan(spec, began); err != nil {
		return 0, err
	}
	log("booting Debian's kernel %s in QEMU (%s)", k.version, accel)
	return emulate(ctx, spec, qemuArgs(spec, k, initrd, accel), out, log)
}

// emulate runs QEMU until the guest ends, and returns the exit status that the
// guest has left.
func emulate(ctx context.Context, spec Spec, args []string, out io.Writer, log Log) (int, error) {
	mon, theirs, err := monitor()
	if err != nil {
		return 0, err
	}
	defer mon.Close()
	limit, cancel := context.WithTimeoutCause(ctx, spec.Limit, ErrLimit)
	defer cancel()
	cmd := exec.CommandContext(limit, "qemu-system-x86_64", args...)
	cmd.Cancel = func() error { return cmd.Process.Kill() }
	cmd.WaitDelay = 5 * time.Second
	cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = out, os.Stderr, []*os.File{theirs}
	var frozen atomic.Bool
	if spec.Shell {
		cmd.Stdin = os.Stdin
	} else {
		p := newPulse(out)
		cmd.Stdout = p
		go p.watch(limit, frozenAfter, func() {
			frozen.Store(true)
			if err := autopsy(mon, filepath.Join(spec.Out, frozenFile)); err != nil {
				log("%v", err)
			}
			cancel()
		})
	}
	err = cmd.Start()
	theirs.Close()
	if err != nil {
		return 0, fmt.Errorf("start QEMU: %w", err)
	}
	_ = cmd.Wait() // what counts is the exit status that the guest leaves
	code, err := os.ReadFile(filepath.Join(spec.Out, codeFile))
	if err == nil {
		return strconv.Atoi(strings.TrimSpace(string(code)))
	}
	console := tail(filepath.Join(spec.Out, consoleFile), 60)
	switch {
	case ctx.Err() != nil:
		return 0, fmt.Errorf("run guest: %w", ctx.Err())
	case errors.Is(context.Cause(limit), ErrLimit):
		return 0, fmt.Errorf("%w of %s; its console ends:\n%s", ErrLimit, spec.Limit, console)
	case frozen.Load():
		return 0, fmt.Errorf("%w: not a sign of life for %s (%s says where its processors stand); its console ends:\n%s",
			ErrFrozen, frozenAfter, filepath.Join(spec.Out, frozenFile), console)
	}
	return 0, fmt.Errorf("guest ended with no exit status (QEMU: %s); its console ends:\n%s", cmd.ProcessState, console)
}

func writePlan(spec Spec, began time.Time) error {
	if err := os.MkdirAll(spec.Out, 0o755); err != nil {
		return fmt.Errorf("create results folder: %w", err)
	}
	os.Remove(filepath.Join(spec.Out, codeFile)) // absent is as good
	b, err := json.Marshal(plan{Args: spec.Args, Env: spec.Env, Dir: spec.Dir, Began: began, Pulse: !spec.Shell})
	if err != nil {
		return fmt.Errorf("encode plan: %w", err)
	}
	if err := os.WriteFile(filepath.Join(spec.Out, planFile), b, 0o644); err != nil {
		return fmt.Errorf("write plan: %w", err)
	}
	return nil
}

func writeInitramfs(path, lab string, k *kernel) error {
	var a archive
	for _, d := range []string{"dev", "proc", "sys", "root", "modules", "modules/1", "modules/2"} {
		a.dir(d)
	}
	a.char("dev/console", 5, 1)
	bin, err := os.ReadFile(lab)
	if err != nil {
		return fmt.Errorf("read lab binary: %w", err)
	}
	a.file("init", bin)
	first, err := k.closure(stage1)
	if err != nil {
		return err
	}
	all, err := k.closure(append(append([]string{}, stage1...), stage2...))
	if err != nil {
		return err
	}
	for i, file := range all {
		stage := 2
		if i < len(first) {
			stage = 1
		}
		b, err := readModule(file)
		if err != nil {
			return fmt.Errorf("read module: %w", err)
		}
		name, _, _ := strings.Cut(filepath.Base(file), ".ko")
		a.file(fmt.Sprintf("modules/%d/%03d-%s", stage, i, name), b)
	}
	if err := os.WriteFile(path, a.bytes(), 0o644); err != nil {
		return fmt.Errorf("write initramfs: %w", err)
	}
	return nil
}

func qemuArgs(spec Spec, k *kernel, initrd, accel string) []string {
	memory, cpus := spec.Memory, spec.CPUs
	if memory == 0 {
		memory = 4096
	}
	if cpus == 0 {
		cpus = 2
	}
	args := []string{
		"-smp", strconv.Itoa(cpus), "-m", strconv.Itoa(memory),
		"-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
		"-kernel", k.image, "-initrd", initrd,
		"-serial", "file:" + filepath.Join(spec.Out, consoleFile),
		"-chardev", "stdio,id=lab,signal=off", "-serial", "chardev:lab",
		"-chardev", "socket,id=monitor,fd=3", "-mon", "chardev=monitor",
	}
	emulated := ""
	if accel == "kvm" {
		args = append(args, "-accel", "kvm", "-cpu", "max")
	} else {
		// Emulated, string instructions go byte by byte, and a fifth level of page
		// tables is one more step of each walk. Emulated processors count the
		// host's clock, so they agree; left to itself the kernel reads the time from
		// an emulated HPET, of which there is one behind a lock: ten times as long.
		args = append(args, "-accel", "tcg,thread=multi,tb-size=1536", "-cpu", "max,erms=off,fsrm=off,la57=off")
		emulated = " tsc=reliable clocksource=tsc"
		// With the first memory control group, which Nomad makes for a task, the kernel
		// would begin to account for its own memory, and for that patch the allocator
		// under way. Emulated (QEMU before 8.1), a processor can then go on with the
		// breakpoint that was there for a moment, for ever.
		emulated += " cgroup.memory=nokmem,nosocket"
	}
	// panic=-1 ends QEMU on a panic.
	line := "console=ttyS0 quiet panic=-1 unknown_nmi_panic mitigations=off random.trust_cpu=on" + emulated + " lab.out=" + spec.Out
	share := func(tag, path, extra string) {
		args = append(args, "-fsdev", "local,id="+tag+",path="+path+",security_model=none"+extra,
			"-device", "virtio-9p-pci,fsdev="+tag+",mount_tag="+tag)
	}
	share("root", "/", ",readonly=on,multidevs=remap")
	share("out", spec.Out, "")
	// Memory file systems hide what the host has below them.
	for tag, path := range map[string]string{"cache": spec.Cache, "project": spec.Dir} {
		if Hidden(path) {
			share(tag, path, ",readonly=on,multidevs=remap")
			line += " lab." + tag + "=" + path
		}
	}
	return append(args, "-append", line)
}

// Hidden reports whether the memory file systems of a guest hide a path of the host.
func Hidden(path string) bool {
	for _, p := range []string{"/tmp/", "/run/", "/dev/"} {
		if strings.HasPrefix(path+"/", p) {
			return true
		}
	}
	return false
}

// accelerator returns "kvm" when the host can boot k with it, else "tcg". A
// /dev/kvm that is there may still not boot a stock kernel, so it is tried
// once, for a short while, and the answer kept per host and guest kernel.
func accelerator(ctx context.Context, cache string, k *kernel, initrd string, log Log) (string, error) {
	if v := os.Getenv("EDGEKEEPER_LAB_ACCEL"); v != "" {
		return v, nil
	}
	f, err := os.OpenFile("/dev/kvm", os.O_RDWR, 0)
	if err != nil {
		return "tcg", nil
	}
	f.Close()
	release, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return "", fmt.Errorf("read kernel release: %w", err)
	}
	key := strings.TrimSpace(string(release)) + " " + k.version
	file := filepath.Join(cache, "guest", "accel")
	if b, err := os.ReadFile(file); err == nil {
		if answer, ok := strings.CutPrefix(string(b), key+" "); ok {
			return answer, nil
		}
	}
	log("trying hardware virtualization (at most 20 s, once)")
	try, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	out, err := exec.CommandContext(try, "qemu-system-x86_64", "-accel", "kvm", "-cpu", "max", "-m", "512", "-nodefaults", "-no-user-config",
		"-display", "none", "-no-reboot", "-kernel", k.image, "-initrd", initrd, "-serial", "stdio",
		"-append", "console=ttyS0 quiet panic=-1 lab.probe").CombinedOutput()
	answer := "tcg"
	if err == nil && strings.Contains(string(out), probeMark) {
		answer = "kvm"
	}
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	if err := os.WriteFile(file, []byte(key+" "+answer), 0o644); err != nil {
		return "", fmt.Errorf("remember accelerator: %w", err)
	}
	return answer, nil
}

// tail returns the last n lines of a file.
func tail(path string, n int) string {
	f, err := os.Open(path)
	if err != nil {
		return err.Error()
	}
	defer f.Close()
	var lines []string
	for s := bufio.NewScanner(f); s.Scan(); {
		lines = append(lines, strings.TrimRight(s.Text(), "\r"))
		if len(lines) > n {
			lines = lines[1:]
		}
	}
	return strings.Join(lines, "\n")
}
