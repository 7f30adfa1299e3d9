package check

import (
	"context"
	"fmt"
	"sync"

	"github.com/edgekeeper/edgekeeper/discovery"
)

// Probe makes one attempt and returns nil when the target is healthy. It must
// return soon after ctx ends. A panic is a failed attempt.
type Probe func(ctx context.Context) (Note, error)

// Note is what an attempt that succeeded has to say beside that.
type Note struct {
	Warning string
	Weight  discovery.WeightAdvice
}

// Maker makes probes, and keeps what they share: certificates and keys that
// were read from files, and the sockets of vip checks. The zero value is ready.
type Maker struct {
	mu    sync.Mutex
	trust map[trustFiles]*trust

	wires [2]wire // of IPv4 and IPv6
}

// New makes the probe of a check with a Maker of its own.
func New(c discovery.Check) (Probe, error) { return new(Maker).New(c) }

// New makes the probe of a check. It fails on a definition that the
// configuration refuses: a pattern that is not RE2, a name or path that cannot be sent.
func (m *Maker) New(c discovery.Check) (Probe, error) {
	spec := c.Spec()
	asked := c.Target.Addr()
	if spec.Type == discovery.VIP {
		asked = spec.VIP.Addr
	}
	if spec.Source.IsValid() && spec.Source.Is4() != asked.Is4() {
		return nil, fmt.Errorf("source address %s is of another family than %s", spec.Source, asked)
	}
	switch spec.Type {
	case discovery.TCP:
		return m.tcp(c, spec)
	case discovery.HTTP:
		return m.http(c, spec)
	case discovery.GRPC:
		return m.grpc(c, spec)
	case discovery.DNS:
		return m.dns(c, spec)
	case discovery.SMTP:
		return m.smtp(c, spec)
	case discovery.UDP:
		return m.udp(c, spec)
	case discovery.ICMP:
		return m.icmp(c, spec)
	case discovery.Exec:
		return m.exec(c, spec)
	case discovery.NumberFile:
		return m.file(c, spec)
	case discovery.Redis:
		return m.redis(c, spec)
	case discovery.Postgres:
		return m.postgres(c, spec)
	case discovery.MySQL:
		return m.mysql(c, spec)
	case discovery.VIP:
		return m.vip(c, spec)
	}
	return nil, fmt.Errorf("check type %d: unknown", spec.Type)
}

// bare makes a Probe of one that never has anything to note.
func bare(f func(context.Context) error) Probe {
	return func(ctx context.Context) (Note, error) { return Note{}, f(ctx) }
}
