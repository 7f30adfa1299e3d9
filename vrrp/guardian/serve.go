package guardian

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"syscall"
	"time"
)

// Conn is the guardian's end of the socket.
type Conn interface {
	// Wait waits until Read would return at once, be it with an error, or until
	// limit has passed (negative: never); it may return early.
	Wait(limit time.Duration) (ready bool, err error)
	io.ReadWriter
}

// Kernel is what the guardian needs of the operating system; Main has the real one.
type Kernel interface {
	// Begin takes the lock and finds the director's process, which must be our
	// parent.
	Begin(lock string, parent int) error
	// Prepare makes everything ready for an Arm. With an error, a result that is
	// not nil does what it can.
	Prepare(a Arm) (Prepared, error)
	// Ended waits up to limit for the end of the director's process and reports
	// whether it has ended.
	Ended(limit time.Duration) bool
}

// Prepared is an Arm made ready.
type Prepared interface {
	// Release takes the addresses off. Absent ones are no error.
	Release() error
	// Renew replaces the adverts; where they go does not change.
	Renew(packets []Packet)
	// Resign sends the adverts.
	Resign() error
	// Close gives back what Prepare took. The addresses stay.
	Close()
}

// Times of the guardian.
const (
	confirmTime = time.Second          // the end of the process after the end of its socket: the kernel needs microseconds
	leastLook   = 5 * time.Millisecond // shortest pause between two looks at the clock
	releases    = 3                    // attempts to take addresses off
)

// ErrAlive says that the socket ended although the director lives. The
// guardian has done nothing.
var ErrAlive = errors.New("the director closed the socket but lives")

// armed is one virtual router that the director is master of.
type armed struct {
	Prepared
	within time.Duration
}

// server is one guardian.
type server struct {
	conn   Conn
	kernel Kernel
	begun  bool
	mute   bool // a reply could not be written
	armed  map[string]armed
	alive  time.Time // when the socket was last seen open
}

// Serve is the guardian's life: it returns after Bye, after the director's
// death, acted upon or not (then the report says what was done), or with an
// error and without having acted when the director could not be understood.
func Serve(conn Conn, kernel Kernel) (report string, err error) {
	s := &server{conn: conn, kernel: kernel, armed: map[string]armed{}, alive: time.Now()}
	defer func() {
		for _, a := range s.armed {
			a.Close()
		}
	}()
	var in decoder
	buf := make([]byte, 16<<10)
	for {
		if ready, err := s.wait(); err != nil {
			return "", fmt.Errorf("wait for director: %w", err)
		} else if !ready {
			continue
		}
		n, err := conn.Read(buf)
		in.feed(buf[:n])
		switch {
		case err == nil:
		// A socket that ended with replies unread is reset (unix_release_sock).
		case errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET):
			return s.act()
		default:
			return "", fmt.Errorf("read from director: %w", err)
		}
		if bye, err := s.handle(&in); err != nil || bye {
			return "", err
		}
	}
}

// wait waits for something to read. It looks often enough to know, when the end
// comes, since when it may have been there: the clock is read before the look,
// so that a stop in between does not count as a sign of life. Unarmed, nobody
// wants to know.
func (s *server) wait() (ready bool, err error) {
	now := time.Now()
	if ready, err := s.conn.Wait(0); ready || err != nil {
		return ready, err
	}
	s.alive = now
	pause := time.Duration(-1)
	for _, a := range s.armed {
		if p := max(a.within/4, leastLook); pause < 0 || p < pause {
			pause = p
		}
	}
	return s.conn.Wait(pause)
}

// handle does what the whole messages ask for.
func (s *server) handle(in *decoder) (bye bool, err error) {
	for {
		m, ok, err := in.next()
		if err != nil || !ok {
			return false, err
		}
		if m.Bye {
			return true, nil
		}
		if err := s.answer(s.do(m)); err != nil {
			return false, err
		}
	}
}

// answer sends a reply. A director that is gone is found out by the next Read;
// one that does not read gets no more replies, and replaces us when it wants them.
func (s *server) answer(failure error) error {
	var r reply
	if failure != nil {
		r.Error = failure.Error()
	}
	frame, err := appendFrame(nil, message{Reply: &r})
	if err != nil {
		return err
	}
	if !s.mute {
		_, err := s.conn.Write(frame)
		s.mute = err != nil
	}
	if errors.Is(failure, errFrame) || !s.begun {
		return failure
	}
	return nil
}

// do does one request.
func (s *server) do(m message) error {
	switch {
	case m.Hello != nil && !s.begun:
		if err := s.kernel.Begin(m.Hello.Lock, m.Hello.Parent); err != nil {
			return err
		}
		s.begun = true
	case !s.begun:
		return fmt.Errorf("%w: no hello", errFrame)
	case m.Arm != nil:
		s.disarm(m.Arm.Instance)
		p, err := s.kernel.Prepare(*m.Arm)
		if p != nil {
			s.armed[m.Arm.Instance] = armed{p, m.Arm.Within}
		}
		return err
	case m.Renew != nil:
		a, ok := s.armed[m.Renew.Instance]
		if !ok {
			return fmt.Errorf("renew %s: it is not armed", m.Renew.Instance)
		}
		a.Renew(m.Renew.Packets)
	case m.Disarm != nil:
		s.disarm(*m.Disarm)
	case m.Ping:
	default:
		return fmt.Errorf("%w: not for the guardian", errFrame)
	}
	return nil
}

func (s *server) disarm(instance string) {
	if a, ok := s.armed[instance]; ok {
		delete(s.armed, instance)
		a.Close()
	}
}

// act is what the guardian is for.
func (s *server) act() (report string, err error) {
	if len(s.armed) == 0 {
		return "", nil
	}
	if !s.kernel.Ended(confirmTime) {
		return "", ErrAlive
	}
	late := time.Duration(0) // the director may have been dead for so long
	var errs []error
	var resigned, silent []string
	for _, name := range slices.Sorted(maps.Keys(s.armed)) {
		a := s.armed[name]
		err := a.Release()
		for range releases - 1 {
			if err == nil {
				break
			}
			err = a.Release()
		}
		late = time.Since(s.alive)
		switch {
		case err != nil: // another master would be a second holder: the lease decides
			errs = append(errs, fmt.Errorf("%s: %w", name, err))
			silent = append(silent, name)
			continue
		case late > a.within:
			silent = append(silent, name)
			continue
		}
		if err := a.Resign(); err != nil {
			errs = append(errs, fmt.Errorf("%s: resign: %w", name, err))
		}
		resigned = append(resigned, name)
	}
	report = fmt.Sprintf("the director died: addresses off, resigned for %v", resigned)
	if len(silent) > 0 {
		report += fmt.Sprintf(", not for %v; noticed within %s", silent, late.Round(time.Millisecond))
	}
	return report, errors.Join(errs...)
}
