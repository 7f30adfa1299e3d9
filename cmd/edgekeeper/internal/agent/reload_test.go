package agent_test

import (
	"encoding/pem"
	"fmt"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"
)

// heard waits until there have been so many events of the configuration
// that begin with that text.
func (s *site) heard(n int, text string) {
	s.t.Helper()
	s.until(fmt.Sprintf("%q is told %d times", text, n), func() bool {
		events, err := s.client().Events(s.t.Context(), 0)
		count := 0
		for _, e := range events {
			if e.Kind == "config" && strings.HasPrefix(e.Text, text) {
				count++
			}
		}
		return err == nil && count == n
	})
}

// loaded fails the test when the configuration was not read so often.
func (s *site) loaded(n int64) {
	s.t.Helper()
	if got := s.loads.Load(); got != n {
		s.t.Errorf("the configuration was read %d times, want %d", got, n)
	}
}

// TestUnchangedConfigurationIsNotReadAgain: a reload without a change says so,
// parses nothing, changes nothing, and looks at the kernel's table at once.
func TestUnchangedConfigurationIsNotReadAgain(t *testing.T) {
	s := newSite(t)
	s.config("release", onePool)
	s.start()
	s.table("10.0.0.1:1")
	s.kernel.Ops()
	before := s.snapshot().Config
	s.hup <- syscall.SIGHUP
	s.heard(1, "unchanged")
	s.config("release", onePool) // written anew, with the same bytes
	s.hup <- syscall.SIGHUP
	s.heard(2, "unchanged")
	s.loaded(1)
	if now := s.snapshot().Config; !now.LoadedAt.After(before.LoadedAt) || now.Refused != "" {
		t.Errorf("status says %+v, before %+v", now, before)
	}

	// The table is read once in a second anyhow: more often only when asked.
	reads, begin := s.kernel.Reads(), time.Now()
	s.until("reloads read the table", func() bool {
		select {
		case s.hup <- syscall.SIGHUP:
		default:
		}
		return float64(s.kernel.Reads()-reads) > 5+2*time.Since(begin).Seconds()
	})
	if ops := s.kernel.Ops(); len(ops) > 0 {
		t.Errorf("reloads without a change did %v", ops)
	}
	s.kernel.Clear()
	s.hup <- syscall.SIGHUP
	s.table("10.0.0.1:1")
	s.loaded(1)
}

// TestReloadAfterRefusal: what is refused is not in force, so it is told each time
// that it is refused; and what is in force is taken up when it is back.
func TestReloadAfterRefusal(t *testing.T) {
	for name, bad := range map[string]string{
		"mistake":       `real_server "10.0.0.1:80" { weight = "heavy" }`,
		"needs a start": onePool + "\n}\nlog_level = \"debug\"\nvirtual_server \"other\" {\naddress = \"127.0.0.1:81\"\nforward = \"nat\"\n" + onePool,
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			s.config("release", onePool)
			s.start()
			s.table("10.0.0.1:1")
			s.config("release", bad)
			for n := range 2 {
				s.hup <- syscall.SIGHUP
				s.heard(n+1, "refused, the configuration of before goes on")
				s.loaded(int64(n + 2))
			}
			if refused, mistake := s.snapshot().Config.Refused, name == "mistake"; strings.Contains(refused, "director.hcl:") != mistake || strings.Contains(refused, "log_level") == mistake {
				t.Errorf("status says %q", refused)
			}
			s.config("release", onePool)
			s.hup <- syscall.SIGHUP
			s.heard(1, "unchanged")
			if refused := s.snapshot().Config.Refused; refused != "" {
				t.Errorf("still refused: %s", refused)
			}
			s.config("release", `real_server "10.0.0.2:80" { weight = 4 }`)
			s.hup <- syscall.SIGHUP
			s.table("10.0.0.2:4")
			s.heard(1, "taken")
			s.hup <- syscall.SIGHUP
			s.heard(2, "unchanged") // than what was taken last
			s.config("release", onePool)
			s.hup <- syscall.SIGHUP
			s.table("10.0.0.1:1")
		})
	}
}

// TestUnchangedConfigurationThatCannotBeTaken: what the configuration names is
// looked at in a reload whether it has changed or not.
func TestUnchangedConfigurationThatCannotBeTaken(t *testing.T) {
	web := httptest.NewTLSServer(nil)
	web.Close() // its certificate is all that is wanted
	ca := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: web.Certificate().Raw}))
	s := newSite(t)
	s.write("ca.pem", ca)
	s.write("director.hcl", fmt.Sprintf(base, s.dir, "release", 80, onePool)+fmt.Sprintf("consul {\n  address = \"127.0.0.1:1\"\n  ca_cert = %q\n}\n", s.dir+"/ca.pem"))
	s.start()
	s.remove("ca.pem")
	s.hup <- syscall.SIGHUP
	s.heard(1, "refused, the configuration of before goes on")
	s.write("ca.pem", ca)
	s.hup <- syscall.SIGHUP
	s.heard(1, "unchanged")
	s.loaded(1)
}
