package discovery_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/edgekeeper/edgekeeper/discovery"
)

func TestParseOverridesRefusals(t *testing.T) {
	const (
		weight    = "a weight is a whole number from 0 to 65535"
		priority  = "a priority is a whole number from 1 to 254"
		scheduler = "a scheduler is one of dh, fo, lblc, lblcr, lc, mh, nq, ovf, rr, sed, sh, twos, wlc, wrr"
		unknown   = "not a key that edgekeeper knows (weight/<virtual-server>/<name>, priority/<vrrp>/<router-id>, drain/<virtual-server>/<name>, drain/node/<node>, scheduler/<virtual-server>, hold/<virtual-server>)"
	)
	cases := []struct{ key, value, why string }{
		{"weight/web/web-1", "0", ""},
		{"weight/web/web-1", " 65535\n", ""},
		{"weight/web/web-1", "65536", weight},
		{"weight/web/web-1", "-1", weight},
		{"weight/web/web-1", "1.5", weight},
		{"weight/web/web-1", "banana", weight},
		{"weight/web/web-1", "", weight},
		{"weight/web", "1", unknown},
		{"weight/web/", "1", unknown},
		{"weight/web/a/b", "1", unknown},
		{"weight/", "", ""}, // a folder marker
		{"priority/VI_1/lvs2", "254", ""},
		{"priority/VI_1/lvs2", "1", ""},
		{"priority/VI_1/lvs2", "0", priority},
		{"priority/VI_1/lvs2", "255", priority},
		{"priority/VI_1/lvs2", "256", priority},
		{"scheduler/web", "sh", ""},
		{"scheduler/web", "random", scheduler},
		{"drain/web/web-1", "", ""},
		{"drain/node/n1", "kernel update", ""},
		{"hold/web", "freeze", ""},
		{"wieght/web/web-1", "3", unknown},
	}
	for _, c := range cases {
		t.Run(c.key+"="+c.value, func(t *testing.T) {
			_, bad := discovery.ParseOverrides(discovery.Overrides{}, map[string]discovery.Pair{c.key: {Value: c.value}})
			got := ""
			if len(bad) > 0 {
				got = bad[0].Why
			}
			if got != c.why {
				t.Errorf("why = %q, want %q", got, c.why)
			}
		})
	}
}

func TestBadValueKeepsTheLastGoodOne(t *testing.T) {
	const key = "weight/web/web-1"
	pairs := func(v string) map[string]discovery.Pair { return map[string]discovery.Pair{key: {Value: v, Index: 9}} }
	target := discovery.Target{VirtualServer: "web", Name: "web-1"}

	o, _ := discovery.ParseOverrides(discovery.Overrides{}, pairs("5"))
	o, bad := discovery.ParseOverrides(o, pairs("banana"))
	if o.Weights[target].Value != 5 {
		t.Errorf("weight = %+v, want the 5 of before", o.Weights)
	}
	want := []discovery.Rejected{{Key: key, Value: "banana", Why: "a weight is a whole number from 0 to 65535", Kept: "5", Index: 9}}
	if diff := cmp.Diff(want, bad); diff != "" {
		t.Errorf("rejected (-want +got):\n%s", diff)
	}
	if got, want := bad[0].String(), `weight/web/web-1 = "banana" refused: a weight is a whole number from 0 to 65535; 5 stays`; got != want {
		t.Errorf("sentence = %q, want %q", got, want)
	}
	o, _ = discovery.ParseOverrides(o, nil) // deleted: back to the configuration
	if len(o.Weights) != 0 {
		t.Errorf("after deletion: %+v", o.Weights)
	}
}

func FuzzParseOverrides(f *testing.F) {
	f.Add("weight/web/web-1", "10")
	f.Add("drain/node/n", "")
	f.Add("priority/VI_1/lvs1", "300")
	f.Add("///", "\x00")
	f.Fuzz(func(t *testing.T, key, value string) {
		pairs := map[string]discovery.Pair{key: {Value: value}}
		once, bad := discovery.ParseOverrides(discovery.Overrides{}, pairs)
		again, _ := discovery.ParseOverrides(once, pairs)
		if diff := cmp.Diff(once, again); diff != "" {
			t.Errorf("parsing twice differs:\n%s", diff)
		}
		for _, r := range bad {
			if r.Why == "" {
				t.Errorf("refused without a reason: %+v", r)
			}
		}
	})
}
