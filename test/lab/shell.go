package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

	"github.com/edgekeeper/edgekeeper/test/lab/scenario"
	"github.com/edgekeeper/edgekeeper/test/lab/site"
)

const hint = `
The site is up: d1 and d2 are directors, w1 and w2 web servers; the virtual address is 61.139.2.1.
Both directors are configured and stopped; web servers run.

  ip netns exec client curl -s http://61.139.2.1/     a request through the virtual address
  ip netns exec d1 ip addr show eth0                  who holds it
  ip netns exec d1 ipvsadm -Ln                        the IPVS table
%s  ip netns exec switch bridge link                    the switch
  exit                                                remove the site

`

// shell brings the site up and gives an interactive shell.
func shell(ctx context.Context, out string) (code int, err error) {
	s := scenario.Scenario{Name: "shell", Limit: shellLimit, Run: func(t *scenario.T) {
		site := t.Site(site.Options{})
		code, err = shellIn(ctx, t, site)
	}}
	r := scenario.Run(ctx, []scenario.Scenario{s}, scenario.Options{Out: out, Print: printLine})
	if err == nil && !r[0].Pass {
		err = errors.New("the site could not be set up")
	}
	return code, err
}

func shellIn(ctx context.Context, t *scenario.T, s *scenario.Site) (int, error) {
	s.StartWebs(false)
	commands := ""
	for _, host := range []string{"d1", "d2"} {
		for _, n := range []scenario.Need{scenario.Edgekeeper, scenario.Keepalived} {
			if args, ok := directorCommand(s, host, n); ok {
				commands += fmt.Sprintf("  ip netns exec %s %s &\n", host, args)
			}
		}
	}
	fmt.Printf(hint, commands)
	cmd := exec.CommandContext(ctx, "/bin/bash", "--norc", "-i")
	cmd.Env = append(os.Environ(), "PS1=lab# ", "TERM="+terminal(), "HOME=/tmp", "HISTFILE=")
	if bin := os.Getenv(scenario.Edgekeeper.Variable()); filepath.IsAbs(bin) {
		cmd.Env = append(cmd.Env, "PATH="+os.Getenv("PATH")+":"+filepath.Dir(bin))
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	restore := sane(int(os.Stdin.Fd()))
	defer restore()
	err := cmd.Run()
	var status *exec.ExitError
	if errors.As(err, &status) && status.Sys().(syscall.WaitStatus).Exited() {
		return status.ExitCode(), nil
	}
	return 0, err
}
