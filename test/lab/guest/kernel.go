package guest

import (
	"bytes"
	"context"
	"debug/elf"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// kernel is an unpacked Debian kernel package.
type kernel struct {
	version string            // e.g. "6.1.0-56-amd64"
	image   string            // path of vmlinuz
	modules map[string]string // module name, with '_', to file
}

// findKernel returns the kernel in dir, downloading and unpacking Debian's
// linux-image-amd64 when there is none yet. The package is not installed.
func findKernel(ctx context.Context, dir string, log Log) (*kernel, error) {
	ready := filepath.Join(dir, "ready")
	v, err := os.ReadFile(ready)
	if err != nil {
		version, err := fetchKernel(ctx, dir, log)
		if err != nil {
			return nil, err
		}
		if err := os.WriteFile(ready, []byte(version), 0o644); err != nil {
			return nil, fmt.Errorf("record kernel: %w", err)
		}
		v = []byte(version)
	}
	k := &kernel{version: string(v), modules: make(map[string]string)}
	k.image = filepath.Join(dir, "boot", "vmlinuz-"+k.version)
	tree := filepath.Join(dir, "lib", "modules", k.version)
	err = filepath.WalkDir(tree, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name, _, ok := strings.Cut(d.Name(), ".ko"); ok && !d.IsDir() {
			k.modules[strings.ReplaceAll(name, "-", "_")] = path
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read kernel modules (remove %s to download again): %w", dir, err)
	}
	return k, nil
}

func fetchKernel(ctx context.Context, dir string, log Log) (version string, err error) {
	log("fetching Debian's kernel package (about 70 MB, once)")
	if err := os.RemoveAll(dir); err != nil {
		return "", fmt.Errorf("clean kernel folder: %w", err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("create kernel folder: %w", err)
	}
	name, err := kernelPackage(ctx)
	if err != nil || name == "" {
		if err := asRoot(ctx, "apt-get", "update", "-qq"); err != nil {
			return "", err
		}
		if name, err = kernelPackage(ctx); err != nil {
			return "", err
		}
	}
	if name == "" {
		return "", fmt.Errorf("find a kernel: apt-cache knows no linux-image-amd64; the guest needs Debian's packages")
	}
	if err := command(ctx, dir, "apt-get", "download", "-qq", name); err != nil {
		if e := asRoot(ctx, "apt-get", "update", "-qq"); e != nil {
			return "", e
		}
		if err = command(ctx, dir, "apt-get", "download", "-qq", name); err != nil {
			return "", err
		}
	}
	debs, err := filepath.Glob(filepath.Join(dir, "*.deb"))
	if err != nil || len(debs) != 1 {
		return "", fmt.Errorf("find downloaded %s: %d files, %w", name, len(debs), err)
	}
	log("unpacking %s", filepath.Base(debs[0]))
	if err := command(ctx, dir, "dpkg-deb", "-x", debs[0], "."); err != nil {
		return "", err
	}
	if err := os.Remove(debs[0]); err != nil {
		return "", fmt.Errorf("remove package: %w", err)
	}
	images, err := filepath.Glob(filepath.Join(dir, "boot", "vmlinuz-*"))
	if err != nil || len(images) != 1 {
		return "", fmt.Errorf("find kernel image of %s: %d files, %w", name, len(images), err)
	}
	return strings.TrimPrefix(filepath.Base(images[0]), "vmlinuz-"), nil
}

// kernelPackage resolves the linux-image-amd64 metapackage.
func kernelPackage(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "apt-cache", "depends", "linux-image-amd64").Output()
	if err != nil {
		return "", fmt.Errorf("look up linux-image-amd64: %w", err)
	}
	for _, line := range strings.Split(string(out), "\n") {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "Depends: "); ok {
			return strings.TrimSpace(name), nil
		}
	}
	return "", nil
}

// closure returns the files of names and of all they depend on, in load order.
// Names that are no file are built into the kernel, or unknown to this version;
// what truly misses shows when the guest uses it.
func (k *kernel) closure(names []string) ([]string, error) {
	var order []string
	seen := make(map[string]bool)
	var visit func(name string) error
	visit = func(name string) error {
		file, ok := k.modules[name]
		if seen[name] || !ok {
			return nil
		}
		seen[name] = true
		deps, err := depends(file)
		if err != nil {
			return fmt.Errorf("read dependencies of module %s: %w", name, err)
		}
		for _, d := range deps {
			if err := visit(d); err != nil {
				return err
			}
		}
		order = append(order, file)
		return nil
	}
	for _, n := range names {
		if err := visit(n); err != nil {
			return nil, err
		}
	}
	return order, nil
}

// depends reads the "depends=" entry of a module's .modinfo section.
func depends(file string) ([]string, error) {
	b, err := readModule(file)
	if err != nil {
		return nil, err
	}
	f, err := elf.NewFile(bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	s := f.Section(".modinfo")
	if s == nil {
		return nil, fmt.Errorf("%s has no .modinfo section", file)
	}
	info, err := s.Data()
	if err != nil {
		return nil, err
	}
	for _, kv := range bytes.Split(info, []byte{0}) {
		if list, ok := bytes.CutPrefix(kv, []byte("depends=")); ok && len(list) > 0 {
			return strings.Split(strings.ReplaceAll(string(list), "-", "_"), ","), nil
		}
	}
	return nil, nil
}

// readModule returns the plain object of a module file, compressed or not.
func readModule(file string) ([]byte, error) {
	var tool string
	switch filepath.Ext(file) {
	case ".xz":
		tool = "xz"
	case ".zst":
		tool = "zstd"
	case ".gz":
		tool = "gzip"
	default:
		return os.ReadFile(file)
	}
	out, err := exec.Command(tool, "-dc", file).Output()
	if err != nil {
		return nil, fmt.Errorf("uncompress %s with %s: %w", file, tool, err)
	}
	return out, nil
}

func command(ctx context.Context, dir, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("run %s %s: %w\n%s", name, strings.Join(args, " "), err, bytes.TrimSpace(out))
	}
	return nil
}

// asRoot runs a command as root: directly, or through sudo without a password.
func asRoot(ctx context.Context, name string, args ...string) error {
	if os.Geteuid() != 0 {
		name, args = "sudo", append([]string{"-n", name}, args...)
	}
	return command(ctx, "", name, args...)
}

// Packages installs the Debian packages whose programs are not in PATH. It
// maps program to package; without root or sudo the error names the packages.
func Packages(ctx context.Context, programs map[string]string, log Log) error {
	var need []string
	for program, pkg := range programs {
		if !inPath(program) {
			need = append(need, pkg)
		}
	}
	if len(need) == 0 {
		return nil
	}
	log("installing %s", strings.Join(need, " "))
	args := append([]string{"install", "-y", "-qq", "--no-install-recommends"}, need...)
	err := asRoot(ctx, "apt-get", args...)
	if err != nil && asRoot(ctx, "apt-get", "update", "-qq") == nil {
		err = asRoot(ctx, "apt-get", args...)
	}
	if err != nil {
		return fmt.Errorf("the lab needs the Debian packages %s; install them as root: %w", strings.Join(need, " "), err)
	}
	return nil
}

// inPath looks where system administrators' programs are, too.
func inPath(program string) bool {
	if _, err := exec.LookPath(program); err == nil {
		return true
	}
	for _, dir := range []string{"/usr/local/sbin", "/usr/sbin", "/sbin"} {
		if _, err := os.Stat(filepath.Join(dir, program)); err == nil {
			return true
		}
	}
	return false
}
