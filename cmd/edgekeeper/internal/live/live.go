// Package live asks the host of a director, and Consul, whether they can do what
// a configuration says, for `edgekeeper validate -live`. It changes nothing: no
// module is loaded, no address moved, no key written.
package live

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/config"
	"github.com/edgekeeper/edgekeeper/discovery"
	"github.com/edgekeeper/edgekeeper/discovery/consul"
	"github.com/edgekeeper/edgekeeper/lvs"
	"github.com/edgekeeper/edgekeeper/lvs/kernel"
)

// answerTime bounds the wait for Consul.
const answerTime = 5 * time.Second

// Host is this host. It is a config.Host.
type Host struct {
	Context context.Context // of the question; it bounds the wait for Consul
}

var _ config.Host = Host{}

// Interface implements config.Host.
func (Host) Interface(name string) error {
	if _, err := net.InterfaceByName(name); err != nil {
		return fmt.Errorf("there is no interface %q on this host", name)
	}
	return nil
}

// Holder implements config.Host. An address on the loopback is one of a real
// server, which a director may be as well; while a director answers on the
// control socket every address may be its own.
func (Host) Holder(cfg *config.Config, addr netip.Addr) string {
	if c, err := net.DialTimeout("unix", cfg.Control.Socket, time.Second); err == nil {
		_ = c.Close() // nothing was sent
		return ""
	}
	devices, err := net.Interfaces()
	if err != nil {
		return ""
	}
	for _, d := range devices {
		addrs, err := d.Addrs()
		if err != nil || d.Flags&net.FlagLoopback != 0 {
			continue
		}
		if slices.ContainsFunc(addrs, func(a net.Addr) bool {
			p, err := netip.ParsePrefix(a.String())
			return err == nil && p.Addr() == addr
		}) {
			return d.Name
		}
	}
	return ""
}

// Module implements config.Host.
func (Host) Module(name string) error { return kernel.Available(name) }

// Tunnel implements config.Host. GUE and checksums came with Linux 5.3, GRE
// with 5.4 (net/netfilter/ipvs/ip_vs_xmit.c).
func (Host) Tunnel(t lvs.Tunnel) error {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return fmt.Errorf("read the kernel's version: %w", err)
	}
	return tunnel(t, unix.ByteSliceToString(u.Release[:]))
}

func tunnel(t lvs.Tunnel, release string) error {
	var major, minor int
	if n, _ := fmt.Sscanf(release, "%d.%d", &major, &minor); n != 2 {
		return nil // nothing to compare with
	}
	need := map[lvs.TunnelType]int{lvs.GUE: 3, lvs.GRE: 4}[t.Type]
	if need > 0 && (major < 5 || major == 5 && minor < need) {
		return fmt.Errorf("%s tunnels need Linux 5.%d, this is %s", t.Type, need, release)
	}
	return nil
}

// Folder implements config.Host.
func (Host) Folder(path string) error {
	_, err := os.ReadDir(path)
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return fmt.Errorf("%s: %w", path, pe.Err)
	}
	return err
}

// Catalog implements config.Host. It asks as the director does, so what it finds
// wrong (no permission, no leader, no answer) is what the director would.
func (h Host) Catalog(cfg *config.Config, queries []discovery.Query) (map[discovery.Query]error, error) {
	client, err := consul.NewClient(clientConfig(cfg.Consul))
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(h.Context, answerTime)
	defer cancel()
	cc := consul.Config{Client: client, MaxStale: cfg.Consul.MaxStale}
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()

	kv := make(chan string, 1)
	running.Go(func() {
		_ = consul.NewKV(cc, cfg.Consul.KVPrefix, 0).Run(ctx, func(a discovery.KVAnswer) {
			select {
			case kv <- a.Err:
			default:
			}
		})
	})
	answers := make(chan discovery.Answer, len(queries)+1)
	source := consul.NewSource(cc)
	source.Set(queries)
	running.Go(func() {
		_ = source.Run(ctx, func(a discovery.Answer) {
			select {
			case answers <- a:
			case <-ctx.Done():
			}
		})
	})

	silent := fmt.Errorf("no answer within %s", answerTime)
	failed := map[discovery.Query]error{}
	for _, q := range queries {
		failed[q] = silent
	}
	first := silent
	for waiting := len(failed) + 1; waiting > 0; {
		select {
		case text := <-kv:
			first, waiting = said(text), waiting-1
			kv = nil // once is enough
		case a := <-answers:
			if errors.Is(failed[a.Query], silent) {
				failed[a.Query] = said(a.Err)
				waiting--
			}
		case <-ctx.Done():
			waiting = 0
		}
	}
	return failed, first
}

// said turns the text of a source's failure into an error; nil for none.
func said(text string) error {
	if text == "" {
		return nil
	}
	return errors.New(text)
}

func clientConfig(c *config.Consul) consul.ClientConfig {
	return consul.ClientConfig{
		Address: c.Address, Datacenter: c.Datacenter, Namespace: c.Namespace, Partition: c.Partition,
		Token: c.Token.Reveal(), TokenFile: c.TokenFile,
		CAFile: c.CACert, CertFile: c.ClientCert, KeyFile: c.ClientKey, ServerName: c.TLSServerName,
	}
}
