package config

import (
	"math"
	"slices"
	"strings"
	"time"
)

// checkLabels are the types of check blocks.
var checkLabels = []string{"tcp", "http", "https", "grpc", "dns", "smtp", "udp", "icmp", "redis", "postgres", "mysql", "exec", "file", "vip"}

// Which checks take an argument.
var (
	onlyPort     = butFor(checkLabels, "icmp")
	onlyHTTP     = []string{"http", "https"}
	onlyHost     = []string{"http", "https", "grpc"}
	onlyTLS      = []string{"https", "tcp", "grpc", "smtp", "redis", "postgres"}
	onlyTLSFlag  = butFor(onlyTLS, "https")
	onlyPayload  = []string{"tcp", "udp"}
	onlyGRPC     = []string{"grpc"}
	onlyDNS      = []string{"dns"}
	onlySMTP     = []string{"smtp"}
	onlyUser     = []string{"redis", "postgres", "mysql", "exec"}
	onlyProgram  = []string{"exec"}
	onlyFile     = []string{"file"}
	onlyRemote   = butFor(checkLabels, "exec", "file")
	onlyStack    = butFor(onlyRemote, "vip")
	onlyVIP      = []string{"vip"}
	onlyRedis    = []string{"redis"}
	onlyPostgres = []string{"postgres"}
)

// butFor gives the labels without some.
func butFor(labels []string, without ...string) []string {
	return slices.DeleteFunc(slices.Clone(labels), func(l string) bool { return slices.Contains(without, l) })
}

var checkType = &blockType{
	name: "check", label: "its type: " + strings.Join(checkKinds, "; "), labels: checkLabels,
	doc: "A native check, made by the director of every real server in the pool, or of the one in whose block it is. All checks of a real server must succeed. Equal checks of one target run once, whatever pools ask for them. " +
		"With the defaults a server that refuses connections counts as down after at most 7 s, one that does not answer after at most 13 s. One of each kind is in [examples/checks.hcl](examples/checks.hcl).",
	args: slices.Concat(checkArgs, checkTLSArgs, checkPayloadArgs, checkHTTPArgs, checkProtocolArgs, checkLocalArgs),
}

// checkKinds say what the types do.
var checkKinds = []string{
	"`tcp` connects, and may send and expect something",
	"`http` and `https` send a request",
	"`grpc` asks the gRPC health service (`grpc.health.v1`)",
	"`dns` asks a name server: any answer without an error is good, also one without records",
	"`smtp` takes the greeting, says EHLO or HELO, and QUIT",
	"`udp` sends a datagram: without `expect` it fails only when an ICMP error comes back within `timeout`",
	"`icmp` sends an echo request, from a ping socket where `net.ipv4.ping_group_range` allows one, else with CAP_NET_RAW",
	"`redis` logs in where there is a password, and sends PING",
	"`postgres` begins a session, as `pg_isready` does: a server that refuses the user is up, one that starts or is full is down",
	"`mysql` logs in without a password: a server that refuses the user is up, one that is full or has blocked this host is down",
	"`exec` runs a program of this host, which succeeds with exit code 0; one that cannot be run says nothing",
	"`vip` asks the real server for the virtual address, as IPVS sends a client's packet there (direct routing or tunnel): one that lacks the address, or does not listen on it, is down",
	"`file` reads a number from the first line of a file of this host; while it holds none, the verdict stands",
}

// checkArgs are for every check.
var checkArgs = []argument{
	{name: "interval", kind: duration, def: "5s", lo: int64(10 * time.Millisecond), hi: maxDelay, doc: "Time between the starts of attempts while the verdict stands."},
	{name: "jitter", kind: duration, def: "0s", lo: 0, hi: maxDelay, doc: "At most as much is added to each interval, by chance. Checks are spread over their interval anyway."},
	{name: "timeout", kind: duration, def: "2s", lo: int64(time.Millisecond), hi: maxDelay, doc: "Longest time of one attempt, at most `interval`."},
	{name: "retries", kind: number, def: "2", lo: 0, hi: 1000, doc: "Failures after the first that are forgiven before the server counts as down."},
	{name: "retry_delay", kind: duration, def: "1s", lo: 0, hi: maxDelay, doc: "Time between those attempts."},
	{name: "rise", kind: number, def: "1", lo: 1, hi: 1000, doc: "Successes in a row before a server that was down counts as up."},
	{name: "initial", kind: text, choices: []string{"up", "down"}, defText: "what the catalog says; a server that nobody vouches for waits", doc: "What a new real server is taken for until its first verdict. One that was known to be down, or that serves already, stays as it is."},
	{name: "port", kind: number, def: "0", only: onlyPort, defText: "the real server's own", lo: 1, hi: maxPort, doc: "Port to check."},
	{name: "address", kind: text, only: onlyStack, defText: "the real server's", doc: "Address to check instead (keepalived's `connect_ip`): the verdict counts for every real server of the pool."},
	{name: "source_address", kind: text, only: onlyRemote, defText: "the kernel's choice", doc: "Address of this host that attempts come from. While the host does not have it, verdicts stand as they are."},
	{name: "mark", kind: number, def: "0", only: onlyStack, defText: "none", lo: 1, hi: math.MaxUint32, doc: "Firewall mark of the packets (SO_MARK, needs CAP_NET_ADMIN), for policy routing. `vip` takes none: IPVS looks up the way to a real server without a mark, and the question goes the same way."},
}

var checkTLSArgs = []argument{
	{name: "tls", kind: boolean, def: "false", only: onlyTLSFlag, doc: "Speak TLS: from the start, for `smtp` after STARTTLS, for `postgres` after its SSLRequest."},
	{name: "tls_server_name", kind: text, only: onlyTLS, defText: "`host`, else the address", doc: "Name for SNI and for the verification of the certificate."},
	{name: "tls_skip_verify", kind: boolean, def: "false", only: onlyTLS, doc: "Do not verify the certificate."},
	{name: "tls_min_version", kind: text, def: "1.2", only: onlyTLS, choices: []string{"1.0", "1.1", "1.2", "1.3"}, doc: "Oldest version of TLS to accept."},
	{name: "tls_ca_file", kind: text, only: onlyTLS, defText: "the system's", doc: "Authorities that may have signed the certificate, in PEM. This and the next two are read again when they change."},
	{name: "tls_cert_file", kind: text, only: onlyTLS, doc: "Client certificate to show, in PEM, with `tls_key_file`."},
	{name: "tls_key_file", kind: text, only: onlyTLS, doc: "Its key, in PEM."},
	{name: "certificate_warning", kind: duration, def: "0s", lo: 0, hi: 10 * 365 * maxDelay, only: onlyTLS, doc: "Warn, in events and `status`, of a certificate that expires within this time (`\"336h\"` is 14 days). The check does not fail for it. `\"0s\"`: do not."},
}

var checkPayloadArgs = []argument{
	{name: "send", kind: text, raw: true, only: onlyPayload, doc: "Text to send, with `\\r\\n` where the protocol wants it."},
	{name: "send_hex", kind: text, only: onlyPayload, doc: "Bytes to send, in hexadecimal, instead of `send`."},
	{name: "expect", kind: text, raw: true, only: onlyPayload, doc: "Regular expression (RE2) that the answer must match, within its first 64 KiB."},
	{name: "expect_hex", kind: text, only: onlyPayload, doc: "Bytes that the answer must begin with, in hexadecimal; `x` stands for any digit (`\"01 00 xx\"`)."},
}

var checkHTTPArgs = []argument{
	{name: "path", kind: text, def: "/", only: onlyHTTP, doc: "Path of the request, with its query."},
	{name: "method", kind: text, def: "GET", only: onlyHTTP, choices: []string{"GET", "HEAD", "OPTIONS", "POST"}, doc: "Method of the request."},
	{name: "host", kind: text, only: onlyHost, defText: "the real server's address", doc: "Host header, `:authority` in HTTP/2."},
	{name: "headers", kind: texts, only: onlyHTTP, doc: "More headers, each as `\"Name: value\"`."},
	{name: "request_body", kind: text, raw: true, only: onlyHTTP, doc: "Body of a `POST`."},
	{name: "http_version", kind: text, def: "1.1", only: onlyHTTP, choices: []string{"1.1", "2"}, doc: "Version of HTTP. `http` speaks HTTP/2 by prior knowledge (h2c)."},
	{name: "status", kind: text, def: "200-299", only: onlyHTTP, doc: "Accepted statuses and ranges of them, `\"200-299, 401\"`. Redirects are not followed."},
	{name: "body", kind: text, only: onlyHTTP, defText: "not read", doc: "Regular expression (RE2) that the first 64 KiB of the body must match."},
	{name: "body_not", kind: text, only: onlyHTTP, defText: "not read", doc: "Regular expression (RE2) that they must not match."},
	{name: "digest", kind: text, only: onlyHTTP, defText: "not read", doc: "MD5 digest of the whole body, at most 1 MiB, as keepalived's `genhash` prints it."},
}

// checkProtocolArgs are for a protocol each.
var checkProtocolArgs = []argument{
	{name: "service", kind: text, only: onlyGRPC, defText: "the server as a whole", doc: "Service to ask for, `package.Service`."},
	{name: "name", kind: text, def: ".", only: onlyDNS, doc: "Name to ask for."},
	{name: "type", kind: text, def: "SOA", only: onlyDNS, choices: dnsTypes, doc: "Type of record to ask for."},
	{name: "answer", kind: text, only: onlyDNS, defText: "any", doc: "Regular expression (RE2) that a record of the answer must match; records read like `A 192.0.2.1` and `MX 10 mail.example.com.` here."},
	{name: "virtual_address", kind: text, only: onlyVIP, defText: "the virtual server's", doc: "Virtual address to ask for. Needed where the virtual server has a firewall mark or several addresses: a check for each."},
	{name: "probe", kind: text, only: onlyVIP, choices: []string{"tcp", "icmp"}, defText: "`tcp` for a TCP virtual server, else `icmp`", doc: "What is sent: the first packet of a TCP connection, which is reset when the answer is there, or an echo request."},
	{name: "dns_tcp", kind: boolean, def: "false", only: onlyDNS, doc: "Ask over TCP instead of UDP."},
	{name: "helo", kind: text, def: "localhost", only: onlySMTP, doc: "Name to say in EHLO or HELO."},
	{name: "user", kind: text, only: onlyUser, defText: "`edgekeeper`; for `redis` none; for `exec` the director's", doc: "User to log in as; a `postgres` or `mysql` server need not know it. For `exec` who runs the program, `name` or `name:group`."},
	{name: "database", kind: text, only: onlyPostgres, defText: "`user`", doc: "Database to ask for. It need not exist."},
	{name: "password", kind: secret, only: onlyRedis, doc: "Password. Never shown."},
	{name: "password_file", kind: text, only: onlyRedis, doc: "File that holds it, up to its last line end."},
	{name: "password_env", kind: text, only: onlyRedis, doc: "Environment variable that holds it."},
}

// checkLocalArgs are for what is looked at on this host.
var checkLocalArgs = []argument{
	{name: "command", kind: texts, only: onlyProgram, doc: "The program, an absolute path, and its arguments. There is no shell in between. Needed. It is ended when `timeout` is over: TERM to its process group, KILL half a second later."},
	{name: "environment", kind: texts, only: onlyProgram, doc: "`\"NAME=value\"`, beside PATH, HOME, LANG and TZ of the director and EDGEKEEPER_ADDRESS, EDGEKEEPER_PORT and EDGEKEEPER_TARGET of the real server."},
	{name: "dynamic_weight", kind: boolean, def: "false", only: onlyProgram, doc: "Exit codes from 2 to 255 are successes with the weight code - 2 (keepalived's `misc_dynamic`). Of several such checks the smallest weight counts; a KV weight wins. Weight 0 is a failure."},
	{name: "file", kind: text, only: onlyFile, doc: "The file, an absolute path; `{address}` and `{port}` in it are the real server's. Needed."},
	{name: "missing", kind: number, def: "0", only: onlyFile, lo: -maxInt32, hi: maxInt32, doc: "The number while there is no file."},
	{name: "weight", kind: number, def: "0", only: onlyFile, lo: -maxPort, hi: maxPort, doc: "Times the number is added to the real server's weight. 0: any number but 0 is a failure (keepalived's FILE_CHECK)."},
}
