package guardian

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Times of the keeper.
const (
	writeTime = time.Second      // a guardian that does not take a request for so long is replaced
	pingEvery = 2 * time.Second  // so is one that does not answer until the next ping
	byeTime   = 2 * time.Second  // from Bye to the end of the process, else kill -9
	firstWait = time.Millisecond // before a guardian that died is replaced, doubled each time
	mostWait  = 10 * time.Second
	goodLife  = time.Second // after which the wait starts over
)

// errSilent is why a guardian is replaced that does not answer.
var errSilent = errors.New("does not answer")

// Config is what NewKeeper needs.
type Config struct {
	// Command makes a command, not yet started, that ends in Main.
	Command func() *exec.Cmd
	// Lock is the path of the guardian's lock file; see Await.
	Lock string
	// Event is told, in a sentence, when a guardian starts, dies, or cannot do
	// something. It is called from Run and may block. Nil ignores.
	Event func(text string)
}

// Keeper keeps one guardian running and informed. Its methods may be called
// from any goroutine; all but Run return at once.
type Keeper struct {
	cfg  Config
	wake chan struct{}

	mu     sync.Mutex
	want   map[string]*Arm
	status Status
}

// Status tells how the guardian does.
type Status struct {
	PID      int       // 0: none runs
	Since    time.Time // start of the one that runs
	Restarts uint64    // guardians that replaced another
	Armed    []string  // instances it would act for, sorted
	Error    string    // why none runs, or what it cannot do; empty: all is well
}

// NewKeeper returns a Keeper. It starts nothing.
func NewKeeper(cfg Config) *Keeper {
	if cfg.Event == nil {
		cfg.Event = func(string) {}
	}
	return &Keeper{cfg: cfg, wake: make(chan struct{}, 1), want: map[string]*Arm{}}
}

// Arm tells the guardian what to do if we die, from now on. a is not changed
// afterwards by the caller. To replace nothing but packets costs little and may
// be done with each advert.
func (k *Keeper) Arm(a Arm) {
	k.mu.Lock()
	k.want[a.Instance] = &a
	k.mu.Unlock()
	k.changed()
}

// Disarm takes an Arm back.
func (k *Keeper) Disarm(instance string) {
	k.mu.Lock()
	delete(k.want, instance)
	k.mu.Unlock()
	k.changed()
}

func (k *Keeper) changed() {
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

// Status is a copy of the present state.
func (k *Keeper) Status() Status {
	k.mu.Lock()
	defer k.mu.Unlock()
	s := k.status
	s.Armed = slices.Clone(s.Armed)
	return s
}

func (k *Keeper) set(change func(*Status)) {
	k.mu.Lock()
	change(&k.status)
	k.mu.Unlock()
}

// Run keeps a guardian running until ctx ends, then sends it away and returns
// nil: it does not act for what is still armed.
func (k *Keeper) Run(ctx context.Context) error {
	wait, said := firstWait, ""
	for first := true; ctx.Err() == nil; first = false {
		if !first {
			k.set(func(s *Status) { s.Restarts++ })
		}
		begin := time.Now()
		err := k.one(ctx)
		k.set(func(s *Status) { s.PID, s.Armed = 0, nil })
		if ctx.Err() != nil {
			break
		}
		k.set(func(s *Status) { s.Error = err.Error() })
		if time.Since(begin) > goodLife {
			wait, said = firstWait, ""
		}
		if text := "guardian replaced: " + err.Error(); text != said { // not the same every ten seconds
			k.cfg.Event(text)
			said = text
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
		wait = min(10*wait, mostWait)
	}
	return nil //nolint:nilerr // only a guardian that ends before it is told to is an error
}

// child is one guardian process.
type child struct {
	cmd     *exec.Cmd
	conn    *os.File
	replies chan reply
	ended   chan struct{} // the process has
	err     error         // of Wait, after ended
	told    map[string]*Arm
	asked   []string // requests without an answer: the instance of an Arm, else empty
	cannot  map[string]string
	greeted bool
}

// one starts a guardian and serves it until it dies, or must be replaced, which
// the error says, or ctx ends.
func (k *Keeper) one(ctx context.Context) error {
	c, err := k.start()
	if err != nil {
		return err
	}
	err = k.serve(ctx, c)
	if err == nil { // ctx has ended
		err = c.send(message{Bye: true})
	}
	if err == nil {
		select {
		case <-c.ended:
		case <-time.After(byeTime):
		}
	}
	// SIGKILL before the socket is closed: this guardian does not act any more.
	_ = c.cmd.Process.Kill()
	<-c.ended
	_ = c.conn.Close()
	for range c.replies {
	}
	return err
}

// start starts the process.
func (k *Keeper) start() (*child, error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("make socket pair: %w", err)
	}
	ours, theirs := os.NewFile(uintptr(pair[0]), "guardian"), os.NewFile(uintptr(pair[1]), "director")
	defer theirs.Close()
	cmd := k.cfg.Command()
	cmd.ExtraFiles = []*os.File{theirs}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a signal to our group is not meant for it
	if err := cmd.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("start guardian: %w", err), ours.Close())
	}
	c := &child{
		cmd: cmd, conn: ours, replies: make(chan reply, 64), ended: make(chan struct{}),
		told: map[string]*Arm{}, cannot: map[string]string{},
	}
	go func() {
		c.err = cmd.Wait()
		close(c.ended)
	}()
	go c.read()
	return c, nil
}

// read passes the replies on until the socket ends.
func (c *child) read() {
	defer close(c.replies)
	var in decoder
	buf := make([]byte, 4096)
	for {
		n, err := c.conn.Read(buf)
		in.feed(buf[:n])
		for {
			m, ok, bad := in.next()
			if bad != nil || ok && m.Reply == nil {
				return
			}
			if !ok {
				break
			}
			c.replies <- *m.Reply
		}
		if err != nil {
			return
		}
	}
}

// serve tells the guardian what is wanted until it ends or ctx does (nil).
func (k *Keeper) serve(ctx context.Context, c *child) error {
	if err := c.ask(message{Hello: &hello{Lock: k.cfg.Lock, Parent: os.Getpid()}}, ""); err != nil {
		return err
	}
	ping := time.NewTicker(pingEvery)
	defer ping.Stop()
	pinged := false
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-c.ended:
			return c.death()
		case r, ok := <-c.replies:
			if !ok {
				return c.last()
			}
			if err := k.answered(c, r); err != nil {
				return err
			}
			pinged = pinged && len(c.asked) > 0
		case <-k.wake:
		case <-ping.C:
			if pinged {
				return errSilent
			}
			if err := c.ask(message{Ping: true}, ""); err != nil {
				return err
			}
			pinged = true
		}
		if c.greeted {
			if err := k.tell(c); err != nil {
				return err
			}
		}
	}
}

// death says how the process ended.
func (c *child) death() error {
	if c.err != nil {
		return fmt.Errorf("it died: %w", c.err)
	}
	return errors.New("it ended")
}

// last waits for the process whose socket has ended.
func (c *child) last() error {
	select {
	case <-c.ended:
		return c.death()
	case <-time.After(writeTime):
		return errSilent
	}
}

// tell sends what has changed. It runs after each wake-up, so nothing is lost.
func (k *Keeper) tell(c *child) error {
	k.mu.Lock()
	want := maps.Clone(k.want)
	k.mu.Unlock()
	for name := range c.told {
		if want[name] == nil {
			delete(c.told, name)
			delete(c.cannot, name)
			if err := c.ask(message{Disarm: &name}, ""); err != nil {
				return err
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if c.told[name] == want[name] {
			continue
		}
		before := c.told[name]
		c.told[name] = want[name]
		var err error
		if before.renewedBy(want[name]) {
			err = c.ask(message{Renew: &renew{name, want[name].Packets}}, "")
		} else {
			err = c.ask(message{Arm: want[name]}, name)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// answered notes the answer to the oldest request.
func (k *Keeper) answered(c *child, r reply) error {
	if len(c.asked) == 0 {
		return errors.New("it answers what nobody asked")
	}
	name := c.asked[0]
	c.asked = c.asked[1:]
	switch {
	case !c.greeted && r.Error != "":
		return fmt.Errorf("it cannot begin: %s", r.Error)
	case !c.greeted:
		c.greeted = true
		k.set(func(s *Status) { s.PID, s.Since, s.Error = c.cmd.Process.Pid, time.Now(), "" })
		k.cfg.Event(fmt.Sprintf("guardian runs, process %d", c.cmd.Process.Pid))
	case name != "" && r.Error != "":
		c.cannot[name] = r.Error
		k.cfg.Event(fmt.Sprintf("guardian of %s: %s", name, r.Error))
	case name != "":
		delete(c.cannot, name)
	}
	var armed []string
	var trouble string
	for _, name := range slices.Sorted(maps.Keys(c.told)) {
		if why := c.cannot[name]; why != "" {
			trouble = name + ": " + why
		} else if !slices.Contains(c.asked, name) {
			armed = append(armed, name)
		}
	}
	k.set(func(s *Status) { s.Armed, s.Error = armed, trouble })
	return nil
}

// ask sends a request that is answered.
func (c *child) ask(m message, instance string) error {
	c.asked = append(c.asked, instance)
	return c.send(m)
}

// send writes one frame whole; a guardian that does not read is no guardian.
func (c *child) send(m message) error {
	frame, err := appendFrame(nil, m)
	if err != nil {
		return err
	}
	if err := c.conn.SetWriteDeadline(time.Now().Add(writeTime)); err != nil {
		return fmt.Errorf("write to guardian: %w", err)
	}
	if _, err := c.conn.Write(frame); err != nil {
		return fmt.Errorf("write to guardian: %w", err)
	}
	return nil
}
