package config

import (
	"crypto/tls"

	"github.com/edgekeeper/edgekeeper/discovery"
)

var tlsVersions = map[string]uint16{"1.0": tls.VersionTLS10, "1.1": tls.VersionTLS11, "1.2": tls.VersionTLS12, "1.3": tls.VersionTLS13}

// checkTLS takes the TLS arguments of a check that has some.
func (c *checker) checkTLS(k *block, spec *discovery.CheckSpec) {
	if !k.takes(k.kind.arg("tls_ca_file")) {
		return
	}
	if k.label != "https" && !k.flag("tls") {
		for _, a := range checkTLSArgs {
			if k.written(a.name) && a.name != "tls" && !k.bad("tls") {
				k.addf(k.where(a.name), "%s has no effect without tls = true", a.name)
			}
		}
		return
	}
	t := &spec.TLS
	*t = discovery.TLSSpec{
		Enabled: true, SkipVerify: k.flag("tls_skip_verify"), ServerName: k.str("tls_server_name"), MinVersion: tlsVersions[k.str("tls_min_version")],
		CAFile: k.str("tls_ca_file"), CertFile: k.str("tls_cert_file"), KeyFile: k.str("tls_key_file"), Warn: k.dur("certificate_warning"),
	}
	for _, name := range []string{"tls_ca_file", "tls_cert_file", "tls_key_file"} {
		k.absolute(name, k.str(name))
	}
	if t.SkipVerify && k.written("tls_ca_file") {
		k.addf(k.where("tls_ca_file"), "tls_ca_file has no effect with tls_skip_verify")
	}
	for _, pair := range [][2]string{{"tls_cert_file", "tls_key_file"}, {"tls_key_file", "tls_cert_file"}} {
		if k.written(pair[0]) && !k.written(pair[1]) && !k.bad(pair[1]) {
			k.addf(k.where(pair[0]), "%s needs %s", pair[0], pair[1])
		}
	}
}
