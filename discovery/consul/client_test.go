package consul

import (
	"encoding/pem"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/edgekeeper/edgekeeper/test/consulstub"
	"github.com/hashicorp/consul/api"
)

// serve gives a stub behind a real listener.
func serve(t *testing.T, network, addr string) (*consulstub.Stub, *httptest.Server) {
	t.Helper()
	stub := consulstub.New()
	l, err := net.Listen(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewUnstartedServer(stub)
	srv.Listener.Close()
	srv.Listener = l
	t.Cleanup(srv.Close)
	return stub, srv
}

// ask makes one request and gives the token that came with it.
func ask(t *testing.T, stub *consulstub.Stub, cfg ClientConfig) (token string, err error) {
	t.Helper()
	c, err := NewClient(cfg)
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = c.Health().Service("web", "", false, nil)
	if err != nil {
		return "", err
	}
	all := stub.Requests()
	return all[len(all)-1].Token, nil
}

func TestTokenSources(t *testing.T) {
	stub, srv := serve(t, "tcp", "127.0.0.1:0")
	srv.Start()
	dir := t.TempDir()
	file := filepath.Join(dir, "token")
	write := func(v string) {
		if err := os.WriteFile(file, []byte(v), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("from-file\n")
	t.Setenv("CONSUL_HTTP_ADDR", srv.URL)
	for _, c := range []struct {
		name             string
		envToken, envFil string
		cfg              ClientConfig
		want             string
	}{
		{"none", "", "", ClientConfig{}, ""},
		{"environment", "env", "", ClientConfig{}, "env"},
		{"environment's file goes first", "env", file, ClientConfig{}, "from-file"},
		{"configuration goes before the environment", "env", file, ClientConfig{Token: "conf"}, "conf"},
		{"configured file goes first", "env", "", ClientConfig{Token: "conf", TokenFile: file}, "from-file"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv("CONSUL_HTTP_TOKEN", c.envToken)
			t.Setenv("CONSUL_HTTP_TOKEN_FILE", c.envFil)
			if got, err := ask(t, stub, c.cfg); err != nil || got != c.want {
				t.Errorf("token %q, %v; want %q", got, err, c.want)
			}
		})
	}

	client, err := NewClient(ClientConfig{TokenFile: file})
	if err != nil {
		t.Fatal(err)
	}
	for _, token := range []string{"first", "rotated"} {
		write(token)
		if _, _, err := client.Health().Service("web", "", false, nil); err != nil {
			t.Fatal(err)
		}
		all := stub.Requests()
		if got := all[len(all)-1].Token; got != token {
			t.Errorf("token %q after the file said %q", got, token)
		}
	}
	os.Remove(file)
	if _, _, err := client.Health().Service("web", "", false, nil); err == nil || !strings.Contains(errText(err), "read consul token file") {
		t.Errorf("without the file: %v", err)
	}
}

func TestUnixSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "http.sock")
	stub, srv := serve(t, "unix", path)
	srv.Start()
	if got, err := ask(t, stub, ClientConfig{Address: "unix://" + path, Token: "t"}); err != nil || got != "t" {
		t.Errorf("over a unix socket: %q, %v", got, err)
	}
}

func TestTLS(t *testing.T) {
	stub, srv := serve(t, "tcp", "127.0.0.1:0")
	srv.EnableHTTP2 = true
	srv.StartTLS()
	addr := strings.TrimPrefix(srv.URL, "https://")
	ca := filepath.Join(t.TempDir(), "ca.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw})
	if err := os.WriteFile(ca, block, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		cfg  ClientConfig
		err  string
	}{
		{"verified", ClientConfig{Address: srv.URL, CAFile: ca}, ""},
		{"https by option", ClientConfig{Address: addr, TLS: true, CAFile: ca}, ""},
		{"another name", ClientConfig{Address: srv.URL, CAFile: ca, ServerName: "example.com"}, ""},
		{"wrong name", ClientConfig{Address: srv.URL, CAFile: ca, ServerName: "consul.test"}, "not consul.test"},
		{"unknown authority", ClientConfig{Address: srv.URL}, "unknown authority"},
		{"not verified", ClientConfig{Address: srv.URL, SkipVerify: true}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := ask(t, stub, c.cfg)
			if (err == nil) != (c.err == "") || err != nil && !strings.Contains(errText(err), c.err) {
				t.Errorf("error %v, want %q", err, c.err)
			}
		})
	}
	if _, err := NewClient(ClientConfig{Address: srv.URL, CAFile: filepath.Join(t.TempDir(), "none")}); err == nil {
		t.Error("a CA file that is not there is no error")
	}
	if _, err := NewClient(ClientConfig{Address: "ftp://consul"}); err == nil {
		t.Error("an unknown scheme is no error")
	}
}

// TestBlockingQueryIsSentOnce: net/http would send it again by itself, to a
// Consul that may have begun anew.
func TestBlockingQueryIsSentOnce(t *testing.T) {
	var blocking atomic.Int32
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.FormValue("index") == "" {
			w.Header().Set("X-Consul-Index", "5")
			_, _ = io.WriteString(w, "[]")
			return
		}
		blocking.Add(1)
		conn, _, err := w.(http.Hijacker).Hijack() // the agent dies
		if err != nil {
			t.Error(err)
			return
		}
		_ = conn.Close()
	}))
	defer srv.Close()
	client, err := NewClient(ClientConfig{Address: srv.URL})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := client.Health().Service("web", "", false, nil); err != nil { // so that the connection is one that was used
		t.Fatal(err)
	}
	_, _, err = client.Health().Service("web", "", false, &api.QueryOptions{WaitIndex: 5})
	if err == nil || blocking.Load() != 1 {
		t.Errorf("%d requests, error %v; want one request and an error", blocking.Load(), err)
	}
}

// TestNullIsNoAnswer: the client library takes it for no keys.
func TestNullIsNoAnswer(t *testing.T) {
	stub, srv := serve(t, "tcp", "127.0.0.1:0")
	srv.Start()
	client, err := NewClient(ClientConfig{Address: srv.URL})
	if err != nil {
		t.Fatal(err)
	}
	stub.SetKey("edgekeeper/weight/web/web-1", "5")
	if list, _, err := client.KV().List("edgekeeper/", nil); err != nil || len(list) != 1 {
		t.Fatalf("%d keys, %v", len(list), err)
	}
	stub.SetFault(consulstub.Null)
	if list, _, err := client.KV().List("edgekeeper/", nil); !errors.Is(err, ErrMalformed) {
		t.Errorf("null is %d keys, %v", len(list), err)
	}
	stub.SetFault(consulstub.Huge)
	if _, _, err := client.KV().List("edgekeeper/", nil); !errors.Is(err, errHuge) {
		t.Errorf("an answer without an end: %v", err)
	}
}
