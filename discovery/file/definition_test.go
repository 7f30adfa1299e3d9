package file

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/edgekeeper/edgekeeper/discovery"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// say renders definitions one by line.
func say(defs []definition) string {
	var b strings.Builder
	for _, d := range defs {
		fmt.Fprintf(&b, "%s/%s %s %s %d/%d %s", d.Node, d.ID, d.Service, d.Addr, d.Weights.Passing, d.Weights.Warning, d.State)
		if d.Reason != "" {
			fmt.Fprintf(&b, " (%s)", d.Reason)
		}
		if d.Tags != nil || d.Meta != nil {
			fmt.Fprintf(&b, " %v %v", d.Tags, d.Meta)
		}
		b.WriteByte('\n')
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func TestParse(t *testing.T) {
	for _, c := range []struct{ name, file, data, want string }{
		{
			"one service", "web-1.hcl", `service { name = "web" address = "10.0.0.4" port = 80 }`,
			"web-1/web web 10.0.0.4:80 1/1 passing",
		},
		{
			"everything", "n.hcl", `
				node_name = "web-1"
				service {
					id = "web-a"
					name = "web"
					address = "fd00::4"
					port = 8080
					tags = ["prod", "v2"]
					meta { edgekeeper_weight = "7" }
					weights { passing = 10  warning = 0 }
					enable_tag_override = true
					token = "secret"
					check { http = "http://${host}/" interval = "5s" header { x = ["y"] } }
				}`,
			"web-1/web-a web [fd00::4]:8080 10/0 passing [prod v2] map[edgekeeper_weight:7]",
		},
		{
			"list of services", "n.hcl", `services = [{ name = "a" address = "10.0.0.1" }, { name = "b" address = "10.0.0.2" }]`,
			"n/a a 10.0.0.1:0 1/1 passing\nn/b b 10.0.0.2:0 1/1 passing",
		},
		{
			"repeated blocks", "n.hcl", "service { name = \"a\" address = \"10.0.0.1\" }\nservice { name = \"b\" address = \"10.0.0.2\" }",
			"n/a a 10.0.0.1:0 1/1 passing\nn/b b 10.0.0.2:0 1/1 passing",
		},
		{
			"other key style", "n.json", `{"NodeName": "x", "Service": {"Name": "web", "ID": "w", "Address": "10.0.0.4", "Port": 80,
				"EnableTagOverride": false, "TaggedAddresses": {"lan": {"address": "1.1.1.1", "port": 1}}, "Weights": {"Passing": 3}, "Tags": null}}`,
			"x/w web 10.0.0.4:80 3/1 passing",
		},
		{
			"json list", "n.json", `{"services": [{"name": "a", "address": "10.0.0.1"}]}`,
			"n/a a 10.0.0.1:0 1/1 passing",
		},
		{
			"worst check counts", "n.hcl", `service { name = "a" address = "10.0.0.1"
				checks = [{ name = "w" status = "warning" }, { name = "c" status = "critical" notes = "disk" }, { status = "passing" }] }`,
			"n/a a 10.0.0.1:0 1/1 critical (check c: disk)",
		},
		{
			"check of one service at the top", "n.hcl", `services = [{ name = "a" address = "10.0.0.1" }, { name = "b" address = "10.0.0.2" }]
				check { service_id = "b" id = "x" status = "warning" }`,
			"n/a a 10.0.0.1:0 1/1 passing\nn/b b 10.0.0.2:0 1/1 warning (check x)",
		},
		{
			"check of the node", "n.hcl", `services = [{ name = "a" address = "10.0.0.1" }, { name = "b" address = "10.0.0.2" }]
				check { name = "raid" status = "critical" }`,
			"n/a a 10.0.0.1:0 1/1 critical (check raid)\nn/b b 10.0.0.2:0 1/1 critical (check raid)",
		},
		{
			"node maintenance", "n.json", `{"service": {"name": "a", "address": "10.0.0.1"}, "check": {"id": "_node_maintenance", "status": "critical", "notes": "kernel", "ttl": "1h"}}`,
			"n/a a 10.0.0.1:0 1/1 maintenance (check maintenance: kernel)",
		},
		{
			"service maintenance", "n.hcl", `service { name = "a" address = "10.0.0.1" } service { name = "b" address = "10.0.0.1" }
				check { id = "_service_maintenance:b" name = "out" }`,
			"n/a a 10.0.0.1:0 1/1 passing\nn/b b 10.0.0.1:0 1/1 maintenance (check out)",
		},
		{"other configuration of an agent", "n.hcl", `datacenter = "dc1" ports { http = 1 } acl { tokens { default = "x" } }`, ""},
		{"ipv4 in ipv6", "n.hcl", `service { name = "a" address = "::ffff:10.0.0.1" port = 1 }`, "n/a a 10.0.0.1:1 1/1 passing"},
	} {
		t.Run(c.name, func(t *testing.T) {
			defs, err := parse(c.file, []byte(c.data))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, say(defs)); diff != "" {
				t.Errorf("definitions (-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseMistakes(t *testing.T) {
	for _, c := range []struct{ name, file, data, want string }{
		{"empty", "n.hcl", " \n", "n.hcl:1:1: the file is empty; remove it to take its services away"},
		{"cut", "n.hcl", "service {\n  name = \"a\"\n", "n.hcl:3:2: object expected closing RBRACE got: EOF"},
		{"cut string", "n.hcl", "service {\n  name = \"a", "n.hcl:2:12: literal not terminated"},
		{"label", "n.hcl", `service "web" { address = "10.0.0.1" }`, `n.hcl:1:9: unexpected label "web"`},
		{"no address", "n.hcl", `service { name = "a" }`, `n.hcl:1:9: service "a" has no address; there is no agent whose address could stand in`},
		{"host name", "n.hcl", "service {\n  name = \"a\"\n  address = \"web.example\"\n}", `n.hcl:3:13: address "web.example" is not an IP address`},
		{"no name", "n.hcl", `service { address = "10.0.0.1" }`, "n.hcl:1:9: service without a name"},
		{"unknown key", "n.hcl", "service {\n name = \"a\"\n address = \"10.0.0.1\"\n adress = 1\n}", `n.hcl:4:2: unknown key "adress" in service`},
		{"unknown key of a check", "n.json", `{"service": {"name": "a", "address": "10.0.0.1", "check": {"intervall": "5s"}}}`, `n.json:1:60: unknown key "intervall" in check`},
		{"key twice", "n.hcl", "service {\n name = \"a\"\n address = \"10.0.0.1\"\n port = 1\n Port = 2\n}", `n.hcl:5:2: key "Port" stands in line 4 already`},
		{"key twice in JSON", "n.json", "{\"service\": {\n\"name\": \"a\",\n\"name\": \"b\"}}", `n.json:3:1: key "name" stands in line 2 already`},
		{"port too high", "n.hcl", `service { name = "a" address = "10.0.0.1" port = 70000 }`, "n.hcl:1:50: port: 70000 is not a whole number from 0 to 65535"},
		{"port as text", "n.json", `{"service": {"name": "a", "address": "10.0.0.1", "port": "80"}}`, "n.json:1:58: port: expected a number, found a string"},
		{"port with a fraction", "n.json", `{"service": {"name": "a", "address": "10.0.0.1", "port": 80.5}}`, "n.json:1:58: port: 80.5 is not a whole number from 0 to 65535"},
		{"weight", "n.hcl", `service { name = "a" address = "10.0.0.1" weights { passing = 0 } }`, "n.hcl:1:63: passing: 0 is not a whole number from 1 to 65535"},
		{"status", "n.hcl", `service { name = "a" address = "10.0.0.1" check { status = "maintenance" } }`, `n.hcl:1:60: status "maintenance" is none of passing, warning, critical`},
		{"same id", "n.hcl", "service { name = \"a\" address = \"10.0.0.1\" }\nservice { name = \"b\" id = \"a\" address = \"10.0.0.1\" }", `n.hcl:2:9: service id "a" stands in line 1 already`},
		{"check of nobody", "n.hcl", `check { service_id = "x" }`, `n.hcl:1:7: check of service id "x", which this file does not define`},
		{"not an object", "n.json", `[]`, "n.json:1:1: expected an object, found a list"},
		{"service is no object", "n.json", `{"service": 1}`, "n.json:1:13: service: expected an object, found a number"},
		{"more after the end", "n.json", `{} {}`, "n.json:1:4: unexpected content after the object"},
		{"syntax", "n.json", "{\n  \"service\": {,}\n}", "n.json:2:15: invalid character ','"},
		{"syntax inside a token", "n.json", `{"service": nil}`, "n.json:1:13: invalid character 'i' in literal null (expecting 'u')"},
		{"trailing comma", "n.json", `{"a": 1, }`, "n.json:1:10: invalid character '}' looking for beginning of object key string"},
		{"cut JSON", "n.json", `{"service": {"name": "a"`, "n.json:1:25: unexpected end of file"},
		{"deep", "n.hcl", "a = " + strings.Repeat("[", 1<<20), "n.hcl:1:1: nested too deeply"},
		{"deep JSON", "n.json", `{"a": ` + strings.Repeat("[", 1<<20), "n.json:1:71: nested too deeply"},
		{"all of them", "n.json", "{\"service\": {\"address\": \"x\",\n \"port\": -1}}", "n.json:2:10: port: -1 is not a whole number from 0 to 65535\nn.json:1:13: service without a name\nn.json:1:25: address \"x\" is not an IP address"},
	} {
		t.Run(c.name, func(t *testing.T) {
			defs, err := parse(c.file, []byte(c.data))
			if err == nil {
				t.Fatalf("no error; definitions %s", say(defs))
			}
			if diff := cmp.Diff(c.want, err.Error()); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
			if defs != nil {
				t.Errorf("definitions beside an error")
			}
		})
	}
}

func TestValidate(t *testing.T) {
	dir := t.TempDir()
	for name, data := range map[string]string{"a.hcl": "service {", "b.json": "[]", "c.txt": "{", "d.hcl": `service { name = "a" address = "10.0.0.1" }`} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want := "a.hcl:1:11: object expected closing RBRACE got: EOF\nb.json:1:1: expected an object, found a list"
	if err := Validate(dir); err == nil || err.Error() != want {
		t.Errorf("Validate = %v, want %s", err, want)
	}
	if err := Validate(filepath.Join(dir, "none")); err == nil {
		t.Error("a folder that is not there is no error")
	}
}

// FuzzParse: whatever a file holds, reading it ends, with definitions that a
// pool can use or with a place.
func FuzzParse(f *testing.F) {
	for _, s := range []string{
		`service { name = "web" address = "10.0.0.4" port = 80 tags = ["a"] weights { passing = 10 } check { status = "critical" } }`,
		`{"service": {"Name": "web", "Address": "::1", "Port": 80, "Meta": {"a": "b"}}}`,
		"services = [{ name = <<EOF\nx\nEOF\n address = \"10.0.0.1\" }]",
		`check { id = "_node_maintenance" }`,
		`{"services": [null, {"name": null}]}`,
	} {
		f.Add(s, false)
		f.Add(s, true)
	}
	f.Fuzz(func(t *testing.T, data string, isJSON bool) {
		name := "n.hcl"
		if isJSON {
			name = "n.json"
		}
		defs, err := parse(name, []byte(data))
		if err != nil {
			if !strings.HasPrefix(err.Error(), name+":") {
				t.Errorf("error without a place: %v", err)
			}
			return
		}
		for _, d := range defs {
			if d.Service == "" || d.ID == "" || d.Node == "" || !d.Addr.Addr().IsValid() || d.Addr.Addr() != d.Addr.Addr().Unmap() ||
				d.Weights.Passing < 1 || d.Weights.Warning < 0 || d.State > discovery.Maintenance || d.Addr == (netip.AddrPort{}) {
				t.Errorf("unusable definition %s", say([]definition{d}))
			}
		}
	})
}
