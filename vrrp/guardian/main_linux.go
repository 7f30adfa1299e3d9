package guardian

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"
)

// socketFD is the guardian's end of the socket pair: the first of ExtraFiles.
const socketFD = 3

// ErrByHand says that Main was not started by a Keeper.
var ErrByHand = errors.New("the guardian is started by the director, not by hand")

// Command re-executes this program with args, which must lead to Main. It is
// the binary that runs, also when the file has been replaced meanwhile. The
// guardian gets no environment: it needs none, and secrets may be in it.
func Command(args ...string) *exec.Cmd {
	cmd := exec.Command("/proc/self/exe")
	cmd.Args = append([]string{os.Args[0]}, args...)
	cmd.Env = []string{}
	cmd.Dir = "/"
	cmd.Stderr = os.Stderr
	return cmd
}

// Main is the guardian process. It logs what it did, afterwards. Once it has acted
// it calls after, still with the lock, for what else the director's death leaves
// to do and can wait for the adverts; nil is nothing. Await's patience counts for
// both.
func Main(log *slog.Logger, after func() error) error {
	// The director decides when we end; and nobody who reads our log, or does
	// not, keeps us from acting.
	signal.Ignore(syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGPIPE)
	if kind, err := unix.GetsockoptInt(socketFD, unix.SOL_SOCKET, unix.SO_DOMAIN); err != nil || kind != unix.AF_UNIX {
		return ErrByHand
	}
	unix.CloseOnExec(socketFD)
	if err := unix.SetNonblock(socketFD, true); err != nil {
		return fmt.Errorf("prepare socket: %w", err)
	}
	// Told apart in ps; best effort.
	_ = os.WriteFile("/proc/self/comm", []byte("edgekeeper-guar"), 0)
	report, err := Serve(socketConn(socketFD), new(kernel))
	if report != "" {
		if after != nil {
			err = errors.Join(err, after())
		}
		log.Warn(report, "kind", "guardian")
	}
	return err
}
