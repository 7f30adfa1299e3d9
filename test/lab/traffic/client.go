package traffic

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Client is the lab's load generator, until ctx ends. It is open-loop: a
// request starts when its time has come, whether earlier ones are answered or
// not, on a connection of its own. For each finished request it prints one
// line: time of sending in nanoseconds, latency in microseconds, outcome, the
// name of the server ("-" for none), the client's port, and how many segments
// were sent again to open the connection.
//
// With -hold it keeps one connection to /slow instead, and prints a line for
// each line received and one with the outcome at the end.
func Client(ctx context.Context, args []string) error {
	fs := flag.NewFlagSet("client", flag.ContinueOnError)
	target := fs.String("target", "61.139.2.1:80", "address to send to")
	rate := fs.Float64("rate", 50, "requests per second")
	timeout := fs.Duration("timeout", time.Second, "limit for one request")
	hold := fs.Duration("hold", 0, "keep one connection for this long instead")
	if err := fs.Parse(args); err != nil {
		return err
	}
	out := &printer{w: bufio.NewWriter(os.Stdout)}
	if *hold > 0 {
		return holdOpen(ctx, *target, *hold, *timeout, out)
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	tick := time.NewTicker(time.Duration(float64(time.Second) / *rate))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		wg.Go(func() {
			out.print(request(*target, *timeout))
		})
	}
}

type printer struct {
	mu sync.Mutex
	w  *bufio.Writer
}

func (p *printer) print(r Result) {
	p.mu.Lock()
	defer p.mu.Unlock()
	server := r.Server
	if server == "" {
		server = "-"
	}
	fmt.Fprintf(p.w, "%d %d %s %s %d %d\n", r.Sent.UnixNano(), r.Latency.Microseconds(), r.Outcome, server, r.Port, r.Again)
	_ = p.w.Flush() // a reader that is gone needs no lines
}

var errStatus = errors.New("unexpected answer")

// request is Request for the load.
func request(target string, timeout time.Duration) (r Result) {
	r.Sent = time.Now()
	c, err := net.DialTimeout("tcp4", target, timeout)
	if err == nil {
		defer c.Close()
		r.Port = c.LocalAddr().(*net.TCPAddr).Port
		r.Again = sentAgain(c)
		r.Server, err = ask(c, timeout)
	}
	r.Latency, r.Outcome = time.Since(r.Sent), outcome(err)
	return r
}

// sentAgain is how many segments of a connection the kernel has sent again; as
// long as it carries no data, these are SYNs that nobody answered.
func sentAgain(c net.Conn) (n int) {
	raw, err := c.(*net.TCPConn).SyscallConn()
	if err != nil {
		return 0
	}
	_ = raw.Control(func(fd uintptr) { // a connection of ours is open
		if info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO); err == nil {
			n = int(info.Total_retrans)
		}
	})
	return n
}

// Request makes one request on a connection of its own.
func Request(target string, timeout time.Duration) (server string, err error) {
	c, err := net.DialTimeout("tcp4", target, timeout)
	if err != nil {
		return "", err
	}
	defer c.Close()
	return ask(c, timeout)
}

func ask(c net.Conn, timeout time.Duration) (server string, err error) {
	if err := c.SetDeadline(time.Now().Add(timeout)); err != nil {
		return "", err
	}
	if _, err := io.WriteString(c, "GET / HTTP/1.0\r\nHost: site\r\n\r\n"); err != nil {
		return "", err
	}
	b, err := io.ReadAll(c)
	if err != nil {
		return "", err
	}
	head, body, ok := bytes.Cut(b, []byte("\r\n\r\n"))
	if !ok || !bytes.Contains(head[:min(len(head), 16)], []byte(" 200 ")) {
		return "", errStatus
	}
	return strings.TrimSpace(string(body)), nil
}

// holdOpen reads /slow; a silence longer than the timeout plus the stream's
// own interval counts as a broken connection.
func holdOpen(ctx context.Context, target string, length, timeout time.Duration, out *printer) error {
	began := time.Now()
	end := func(name string, err error) error {
		out.print(Result{Sent: began, Latency: time.Since(began), Server: name, Outcome: outcome(err)})
		return nil
	}
	c, err := net.DialTimeout("tcp4", target, timeout)
	if err != nil {
		return end("", err)
	}
	defer c.Close()
	defer context.AfterFunc(ctx, func() { c.Close() })()
	if _, err := fmt.Fprintf(c, "GET /slow?for=%s HTTP/1.0\r\nHost: site\r\n\r\n", length); err != nil {
		return end("", err)
	}
	r := bufio.NewReader(c)
	for inBody, name := false, ""; ; {
		if err := c.SetReadDeadline(time.Now().Add(timeout + slowEvery)); err != nil {
			return end(name, err)
		}
		line, err := r.ReadString('\n')
		switch line = strings.TrimSpace(line); {
		case errors.Is(err, io.EOF):
			if time.Since(began) < length-slowEvery {
				return end(name, io.ErrUnexpectedEOF)
			}
			return end(name, nil)
		case err != nil:
			return end(name, err)
		case !inBody:
			inBody = line == ""
		default:
			name = line
			out.print(Result{Sent: time.Now(), Server: name, Outcome: Line})
		}
	}
}

// Outcome says how a request ended.
type Outcome int

// The ways a request ends. Line is one received line of a held connection.
const (
	OK Outcome = iota
	Timeout
	Refused
	Reset
	Unreachable
	Broken
	Line
)

var outcomes = [...]string{"ok", "timeout", "refused", "reset", "unreachable", "broken", "line"}

// String returns the word used in the client's output.
func (o Outcome) String() string {
	if o < 0 || int(o) >= len(outcomes) {
		return "outcome(" + strconv.Itoa(int(o)) + ")"
	}
	return outcomes[o]
}

func outcome(err error) Outcome {
	var ne net.Error
	switch {
	case err == nil:
		return OK
	case errors.As(err, &ne) && ne.Timeout():
		return Timeout
	case errors.Is(err, syscall.ECONNREFUSED):
		return Refused
	case errors.Is(err, syscall.ECONNRESET):
		return Reset
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return Unreachable
	default:
		return Broken
	}
}

// Result is one finished request.
type Result struct {
	Sent    time.Time
	Latency time.Duration
	Server  string
	Outcome Outcome
	Port    int // of the client, 0 where no connection was opened
	Again   int // segments that were sent again to open the connection
}

func parseResult(line string) (Result, error) {
	f := strings.Fields(line)
	if len(f) != 6 {
		return Result{}, fmt.Errorf("parse client line %q: %d fields, want 6", line, len(f))
	}
	sent, err := strconv.ParseInt(f[0], 10, 64)
	if err != nil {
		return Result{}, fmt.Errorf("parse client line: %w", err)
	}
	us, err := strconv.ParseInt(f[1], 10, 64)
	if err != nil {
		return Result{}, fmt.Errorf("parse client line: %w", err)
	}
	r := Result{Sent: time.Unix(0, sent), Latency: time.Duration(us) * time.Microsecond}
	if r.Port, err = strconv.Atoi(f[4]); err == nil {
		r.Again, err = strconv.Atoi(f[5])
	}
	if err != nil {
		return Result{}, fmt.Errorf("parse client line: %w", err)
	}
	if f[3] != "-" {
		r.Server = f[3]
	}
	for i, name := range outcomes {
		if name == f[2] {
			r.Outcome = Outcome(i)
			return r, nil
		}
	}
	return Result{}, fmt.Errorf("parse client line %q: unknown outcome", line)
}
