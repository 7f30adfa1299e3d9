// Command setup prepares this machine for tests: it builds or finds the named
// programs and installs the Debian packages of the others.
//
//	go run ./test/setup consul keepalived tshark
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/edgekeeper/edgekeeper/test/binaries"
	"github.com/edgekeeper/edgekeeper/test/lab/guest"
)

// packages are the Debian packages of programs that tests run.
var packages = map[string]string{
	"keepalived": "keepalived", "tshark": "tshark", "ip": "iproute2", "ipvsadm": "ipvsadm", "nft": "nftables",
	"haproxy": "haproxy", "nginx": "nginx-light",
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "setup:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, names []string) error {
	log := func(format string, args ...any) { fmt.Printf(format+"\n", args...) }
	need := map[string]string{}
	for _, name := range names {
		var err error
		switch name {
		case "consul":
			_, err = binaries.Consul(ctx, log)
		case "nomad":
			_, err = binaries.Nomad(ctx, log)
		case "consul-template":
			_, err = binaries.ConsulTemplate(ctx, log)
		default:
			pkg, ok := packages[name]
			if !ok {
				return fmt.Errorf("no program %q is known", name)
			}
			need[name] = pkg
		}
		if err != nil {
			return err
		}
	}
	return guest.Packages(ctx, need, log)
}
