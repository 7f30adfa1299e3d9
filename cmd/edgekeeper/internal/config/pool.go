package config

import (
	"github.com/edgekeeper/edgekeeper/discovery"
)

// slowStart takes the slow_start block; without one there is none.
func (c *checker) slowStart(b *block) discovery.SlowStart {
	s := b.one("slow_start")
	if s == nil {
		return discovery.SlowStart{}
	}
	return discovery.SlowStart{Window: s.dur("window"), Aggression: s.factor("aggression"), MinWeight: s.share("min_weight")}
}
