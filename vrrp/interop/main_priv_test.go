//go:build priv

package interop

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/edgekeeper/edgekeeper/test/netns"
	"github.com/edgekeeper/edgekeeper/vrrp"
	"github.com/edgekeeper/edgekeeper/vrrp/conflict"
	"github.com/edgekeeper/edgekeeper/vrrp/instance"
	"github.com/edgekeeper/edgekeeper/vrrp/socket"
	"github.com/edgekeeper/edgekeeper/vrrp/vip"
)

func TestMain(m *testing.M) {
	_ = flag.Set("test.parallel", "16") // routers mostly sleep
	netns.Main(m, map[string]func() error{"router": runRouter, "group": runGroup, "listener": runListener})
}

const listenerPort = 8080

// runListener accepts connections to every address of the host.
func runListener() error {
	l, err := net.Listen("tcp", fmt.Sprintf(":%d", listenerPort))
	if err != nil {
		return err
	}
	fmt.Println("listening")
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		_ = c.Close()
	}
}

// options are the flags of the router role.
type options struct {
	probe    time.Duration
	cfg      vrrp.Config
	state    string
	vmac     string
	fromBase bool
	noAccept bool
	loss     instance.LossPolicy
	up, down time.Duration
	pace     time.Duration
	later    uint8 // the priority that SIGHUP sets, and takes back
}

func (o *options) parse(args []string) error {
	f := flag.NewFlagSet("router", flag.ContinueOnError)
	o.cfg.Name = "VI_1"
	vrid := f.Uint("vrid", 51, "")
	priority := f.Uint("priority", 100, "")
	version := f.Uint("version", 0, "")
	f.DurationVar(&o.cfg.Interval, "interval", time.Second, "")
	f.BoolVar(&o.cfg.NoPreempt, "nopreempt", false, "")
	f.DurationVar(&o.cfg.PreemptDelay, "preempt-delay", 0, "")
	f.DurationVar(&o.cfg.Lease, "lease", 0, "")
	vips := f.String("vips", "192.0.2.100/24", "")
	label := f.String("label", "", "")
	peers := f.String("peers", "", "")
	pass := f.String("pass", "", "")
	ah := f.String("ah", "", "")
	plain := f.Bool("plain-checksum", false, "")
	f.StringVar(&o.state, "state", "", "")
	f.DurationVar(&o.probe, "probe", 10*time.Second, "")
	later := f.Uint("later-priority", 100, "")
	f.StringVar(&o.vmac, "vmac", "", "")
	f.BoolVar(&o.fromBase, "transmit-base", false, "")
	f.BoolVar(&o.noAccept, "no-accept", false, "")
	more := f.String("more", "", "file with the JSON of a vrrp.Config whose routes, rules and announcements are taken")
	stepDown := f.Bool("step-down", false, "")
	f.DurationVar(&o.up, "up-delay", 0, "")
	f.DurationVar(&o.down, "down-delay", 0, "")
	f.DurationVar(&o.pace, "pace", 0, "")
	if err := f.Parse(args); err != nil {
		return err
	}
	if *stepDown {
		o.loss = instance.LossStepDown
	}
	if *more != "" {
		b, err := os.ReadFile(*more)
		if err != nil {
			return err
		}
		var c vrrp.Config
		if err := json.Unmarshal(b, &c); err != nil {
			return err
		}
		o.cfg.Routes, o.cfg.Rules, o.cfg.Announce = c.Routes, c.Rules, c.Announce
	}
	o.later = uint8(*later)
	o.cfg.VRID, o.cfg.Priority, o.cfg.Version = uint8(*vrid), uint8(*priority), vrrp.Version(*version)
	for _, v := range strings.Split(*vips, ",") {
		p, err := netip.ParsePrefix(v)
		if err != nil {
			return err
		}
		o.cfg.Addresses = append(o.cfg.Addresses, vrrp.Address{Prefix: p, Label: *label, Device: o.vmac})
	}
	for _, v := range strings.FieldsFunc(*peers, func(r rune) bool { return r == ',' }) {
		o.cfg.Peers = append(o.cfg.Peers, netip.MustParseAddr(v))
	}
	switch {
	case *pass != "":
		o.cfg.Auth = vrrp.Auth{Type: vrrp.AuthPass, Secret: vrrp.Secret(*pass)}
	case *ah != "":
		o.cfg.Auth = vrrp.Auth{Type: vrrp.AuthAH, Secret: vrrp.Secret(*ah)}
	}
	if *plain {
		o.cfg.Checksum = vrrp.ChecksumPlain
	}
	return nil
}

// runRouter is one virtual router on eth0. SIGUSR1 prints the status as one
// line of JSON, SIGUSR2 hands over, SIGHUP changes the priority and back.
func runRouter() error {
	var o options
	if err := o.parse(os.Args[1:]); err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	var vmacs []vip.VMAC
	if o.vmac != "" {
		vmacs = []vip.VMAC{{Name: o.vmac, Parent: netns.Interface, MAC: vrrp.VirtualMAC(o.cfg.VRID, o.cfg.IPv4())}}
	}
	from := o.vmac
	if o.fromBase {
		from = ""
	}
	host, err := vip.Open(vip.Config{
		Name: o.cfg.Name, Interface: netns.Interface, Addresses: o.cfg.Addresses, Excluded: o.cfg.Excluded,
		VMACs: vmacs, NoAccept: o.noAccept, Routes: o.cfg.Routes, Rules: o.cfg.Rules,
		ARPInterval: o.pace, NAInterval: o.pace,
		StateFile: o.state, Logger: log,
	})
	if err != nil {
		return err
	}
	look, err := conflict.New(conflict.Config{Interface: netns.Interface, VRRP: o.cfg, Interval: o.probe, Logger: log})
	if err != nil {
		return err
	}
	r, err := instance.New(instance.Config{
		VRRP: o.cfg,
		Dial: func() (instance.Conn, error) {
			c, err := socket.Open(socket.Config{Interface: netns.Interface, VMAC: from, VRRP: o.cfg})
			if err != nil {
				return nil, err
			}
			return c, nil
		},
		Host:    host,
		Lookout: look,
		OnLoss:  o.loss, LinkUpDelay: o.up, LinkDownDelay: o.down,
		Logger: log,
		OnRole: func(r instance.Role) { fmt.Printf("role %s: %s\n", r.State, r.Reason) },
		OnTrouble: func(t instance.Trouble) {
			if t.Active() {
				fmt.Printf("trouble %s: %s\n", t.Kind, t.Detail)
			} else {
				fmt.Printf("healed %s: %s\n", t.Kind, t.Healed)
			}
		},
	})
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	usr := make(chan os.Signal, 4)
	signal.Notify(usr, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGHUP)
	go func() {
		next, last := o.later, o.cfg.Priority
		for s := range usr {
			if s == syscall.SIGHUP {
				r.SetPriority(next, "signal")
				next, last = last, next
				continue
			}
			if s == syscall.SIGUSR2 {
				fmt.Println("handover:", r.Handover(ctx, 0))
				continue
			}
			b, err := json.Marshal(r.Status())
			fmt.Println("status", string(b), err)
		}
	}()
	return errors.Join(r.Run(ctx), host.Close())
}

// patience is for what is only waited for: how long it takes is judged, if at all,
// by the times of packets and of the kernel's notifications.
const patience = 12 * time.Second

// status asks a router role for its status.
func status(t *testing.T, p *netns.Process) instance.Status {
	t.Helper()
	const begin = "\nstatus {"
	before, line := strings.Count(p.Output(), begin), ""
	p.Signal(t, syscall.SIGUSR1)
	netns.Wait(t, patience, "status", func() bool {
		out := p.Output()
		line = out[strings.LastIndex(out, begin)+len(begin)-1:]
		return strings.Count(out, begin) > before && strings.Contains(line, "\n") // the whole line
	})
	var s instance.Status
	if err := json.NewDecoder(strings.NewReader(line)).Decode(&s); err != nil {
		t.Fatalf("decode status: %v", err)
	}
	return s
}
