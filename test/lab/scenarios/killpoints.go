package scenarios

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/edgekeeper/edgekeeper/test/lab/scenario"
	"github.com/edgekeeper/edgekeeper/test/lab/site"
)

func init() {
	scenario.Register(scenario.Scenario{
		Name: "kill-points", Doc: "a director is killed at 200 random points of a table change (LAB_KILLS, LAB_SEED): each restart ends in the right table, and somebody else's virtual server stays",
		Needs: []scenario.Need{scenario.Edgekeeper}, Limit: 15 * time.Minute, Run: killPoints,
	})
}

// killPoints lets two directors, each on a host of its own, change their tables
// to a random one again and again. Each change is ended by kill -9; the next
// start, on what the kill has left of kernel and state folder, must bring about
// the table that was wanted. That table is then the one to change.
func killPoints(t *scenario.T) {
	kills, err := strconv.Atoi(t.Parameter("LAB_KILLS", "200"))
	t.OK(err)
	seed, err := strconv.ParseUint(t.Parameter("LAB_SEED", strconv.FormatInt(time.Now().UnixNano(), 10)), 10, 64)
	t.OK(err)
	t.Measure("seed", "%d (LAB_SEED)", seed)
	s := t.Site(site.Options{})
	// A module that has to be loaded first would make the first change a slow one.
	for _, scheduler := range killSchedulers {
		command(t, s, "d1", "ipvsadm -A -t 192.0.2.2:80 -s "+scheduler)
		command(t, s, "d1", "ipvsadm -D -t 192.0.2.2:80")
	}
	var all []*victim
	var starting sync.Mutex
	for i, host := range []string{"d1", "d2"} {
		command(t, s, host, "ipvsadm -A -t "+foreignVIP+" -s rr")
		command(t, s, host, "ipvsadm -a -t "+foreignVIP+" -r 10.98.0.1:80 -g -w 3")
		v := &victim{t: t, s: s, host: s.Host(host), starting: &starting, random: rand.New(rand.NewPCG(seed, uint64(i))), dir: filepath.Join(s.Temp(), host)}
		t.OK(os.MkdirAll(v.dir, 0o755))
		all = append(all, v)
	}
	var wg sync.WaitGroup
	began := time.Now()
	for _, v := range all {
		wg.Go(func() { v.err = v.run(kills / len(all)) })
	}
	wg.Wait()
	var sum victim
	for _, v := range all {
		if v.err != nil {
			t.Errorf("%s: %v", v.host.Name, v.err)
		}
		sum.kills += v.kills
		sum.before, sum.amid, sum.after = sum.before+v.before, sum.amid+v.amid, sum.after+v.after
		t.Measure(v.host.Name+": undisturbed change", "first op %s after the signal, the last after %s; the right table at most %s after a restart",
			ms(v.first), ms(v.last), ms(v.start))
	}
	t.Measure("kills", "%d in %s: %d before the first op, %d amid the ops, %d after the last", sum.kills, ms(time.Since(began)), sum.before, sum.amid, sum.after)
	if sum.kills < kills/len(all)*len(all) {
		t.Errorf("%d kills, want %d", sum.kills, kills)
	}
	if sum.amid < sum.kills/10 {
		t.Errorf("only %d of %d kills were amid the ops: the points are not where the change is", sum.amid, sum.kills)
	}
}

// foreignVIP is a virtual server that no director has made.
const foreignVIP = "192.0.2.1:80"

var killSchedulers = []string{"rr", "wrr", "wlc"}

// The size of the random tables.
const (
	killServices = 8
	killServers  = 100
)

// killTable is a table by virtual server: the scheduler, and weights by real server.
type killTable map[string]killPool

type killPool struct {
	scheduler string
	weights   map[string]int
}

func randomTable(r *rand.Rand) killTable {
	out := killTable{}
	for i := range killServices {
		if r.IntN(4) == 0 {
			continue
		}
		p := killPool{scheduler: killSchedulers[r.IntN(len(killSchedulers))], weights: map[string]int{}}
		for j := range killServers {
			if r.IntN(3) > 0 {
				p.weights[loadReal(j)+":80"] = r.IntN(4)
			}
		}
		out[loadVIP(i)+":80"] = p
	}
	return out
}

func (k killTable) equal(o killTable) bool {
	return maps.EqualFunc(k, o, func(a, b killPool) bool { return a.scheduler == b.scheduler && maps.Equal(a.weights, b.weights) })
}

// hcl is the configuration that wants the table.
func (k killTable) hcl(dir string) string {
	var b strings.Builder
	// Lines in the log are for what is wrong: each costs a guest milliseconds.
	fmt.Fprintf(&b, "router_id = \"kill\"\nstate_dir = %q\nlog_level = \"warn\"\ncontrol {\n  socket = %q\n}\n", dir+"/state", dir+"/sock")
	for vip, p := range k {
		fmt.Fprintf(&b, "virtual_server %q {\n  address   = %q\n  scheduler = %q\n  drain_timeout = \"0s\"\n", strings.ReplaceAll(vip, ":", "-"), vip, p.scheduler)
		for rs, w := range p.weights {
			fmt.Fprintf(&b, "  real_server %q {\n    weight = %d\n  }\n", rs, w)
		}
		b.WriteString("}\n")
	}
	return b.String()
}

// victim is one host whose director is killed.
type victim struct {
	t        *scenario.T
	s        *scenario.Site
	host     *site.Host
	starting *sync.Mutex // a site starts one process at a time
	random   *rand.Rand
	dir      string
	err      error

	kills, before, amid, after int
	first, last                time.Duration // of an undisturbed change, from the signal on
	middle                     time.Duration // of one by the director to be killed, as far as the kills have shown
	start                      time.Duration // the longest from a restart to the right table
}

// read gives the kernel's table without the foreign virtual server, and whether
// that is as it was made. A reading amid changes may leave out what there is: the
// kernel writes the list in pieces.
func (v *victim) read() (have killTable, intact bool, err error) {
	list, err := v.host.IPVS()
	if err != nil {
		return nil, false, err
	}
	out := killTable{}
	for _, svc := range list {
		p := killPool{scheduler: svc.Scheduler, weights: map[string]int{}}
		for _, d := range svc.Dests {
			p.weights[d.Addr.String()] = d.Weight
		}
		out[svc.Addr.String()] = p
	}
	foreign := killTable{foreignVIP: {"rr", map[string]int{"10.98.0.1:80": 3}}}
	intact = foreign.equal(killTable{foreignVIP: out[foreignVIP]})
	delete(out, foreignVIP)
	return out, intact, nil
}

// still is read while no director runs.
func (v *victim) still() (killTable, error) {
	have, intact, err := v.read()
	if err == nil && !intact {
		err = errors.New("the virtual server of somebody else is not as it was")
	}
	return have, err
}

// until waits for a table, and returns when it was there and when it last was
// another than from.
func (v *victim) until(want killTable, from killTable) (first, done time.Duration, err error) {
	began := time.Now()
	for {
		have, intact, err := v.read()
		if err != nil {
			return 0, 0, err
		}
		if first == 0 && !have.equal(from) {
			first = time.Since(began)
		}
		if intact && have.equal(want) {
			return first, time.Since(began), nil
		}
		if err := v.t.Context().Err(); err != nil {
			return 0, 0, err
		}
		if time.Since(began) > 20*time.Second {
			return 0, 0, fmt.Errorf("the table is not as wanted after %s: %s; that of somebody else is intact: %v", time.Since(began).Round(time.Second), have.unlike(want), intact)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// point waits for a random point of a change. One half of the points are times,
// about that of the change, and timed; the other half are parts of the work that are
// done.
func (v *victim) point(have, want killTable) (timed bool, err error) {
	if v.random.IntN(2) == 0 {
		time.Sleep(max(0, v.middle+time.Duration((v.random.Float64()-0.5)*float64(3*v.span()/2))))
		return true, nil
	}
	// The first half of the work: the rest goes on while the kill is on its way.
	whole := have.distance(want)
	left := whole - 1 - v.random.IntN((whole+1)/2)
	for began := time.Now(); ; time.Sleep(time.Millisecond) {
		now, _, err := v.read()
		if err != nil {
			return false, err
		}
		if d := now.distance(want); d <= left && d < whole {
			return false, nil
		}
		if time.Since(began) > 20*time.Second {
			return false, fmt.Errorf("the change does not come: %s", now.unlike(want))
		}
	}
}

// span is how long a change takes, from the first op to the last.
func (v *victim) span() time.Duration { return max(v.last-v.first, 10*time.Millisecond) }

// distance counts what differs between two tables.
func (k killTable) distance(o killTable) (n int) {
	for vip, p := range k {
		q, ok := o[vip]
		if !ok || p.scheduler != q.scheduler {
			n++
		}
		for rs, w := range p.weights {
			if other, ok := q.weights[rs]; !ok || other != w {
				n++
			}
		}
	}
	for vip, q := range o {
		p, ok := k[vip]
		if !ok {
			n++
		}
		for rs := range q.weights {
			if _, ok := p.weights[rs]; !ok {
				n++
			}
		}
	}
	return n
}

// listens waits until the director that was just started listens on its socket. A
// table that the kill has left complete says nothing about it.
func (v *victim) listens() error {
	for began := time.Now(); ; time.Sleep(5 * time.Millisecond) {
		c, err := net.Dial("unix", filepath.Join(v.dir, "sock"))
		if err == nil {
			return c.Close()
		}
		if time.Since(began) > 20*time.Second {
			return fmt.Errorf("the director does not listen: %w", err)
		}
	}
}

// unlike names the first difference.
func (k killTable) unlike(want killTable) string {
	for vip := range want {
		if _, ok := k[vip]; !ok {
			return vip + " is missing"
		}
	}
	for vip, p := range k {
		w, ok := want[vip]
		if !ok {
			return vip + " is not wanted"
		}
		if !maps.Equal(p.weights, w.weights) || p.scheduler != w.scheduler {
			return fmt.Sprintf("%s is %v, want %v", vip, p, w)
		}
	}
	return "nothing"
}

func (v *victim) write(want killTable) (path string, err error) {
	path = filepath.Join(v.dir, "director.hcl")
	return path, os.WriteFile(path, []byte(want.hcl(v.dir)), 0o600)
}

func (v *victim) launch(path string) (*site.Proc, error) {
	v.starting.Lock()
	defer v.starting.Unlock()
	return v.s.Start(v.host, site.Command{Name: "edgekeeper", Args: []string{v.t.Binary(scenario.Edgekeeper), "director", "-config", path}})
}

// run kills that many times.
func (v *victim) run(kills int) error {
	have := randomTable(v.random)
	path, err := v.write(have)
	if err != nil {
		return err
	}
	p, err := v.launch(path)
	if err != nil {
		return err
	}
	if err := v.listens(); err != nil {
		return err
	}
	if _, _, err = v.until(have, killTable{}); err != nil {
		return err
	}
	change := func(want killTable) error {
		if _, err := v.write(want); err != nil {
			return err
		}
		return p.Signal(syscall.SIGHUP)
	}
	for range 3 { // how long a change takes when nobody is killed; the fastest counts
		want := randomTable(v.random)
		if err := change(want); err != nil {
			return err
		}
		first, last, err := v.until(want, have)
		if err != nil {
			return err
		}
		if v.last == 0 || last < v.last {
			v.first, v.last = first, last
		}
		have = want
	}
	v.middle = (v.first + v.last) / 2
	for v.kills < kills {
		want := randomTable(v.random)
		if err := change(want); err != nil {
			return err
		}
		began := time.Now()
		timed, err := v.point(have, want)
		if err != nil {
			return err
		}
		delay := time.Since(began)
		if err := p.Signal(syscall.SIGKILL); err != nil {
			return err
		}
		<-p.Done()
		v.kills++
		left, err := v.still()
		if err != nil {
			return fmt.Errorf("kill %d, %s after the signal: %w", v.kills, ms(delay), err)
		}
		var shift time.Duration
		switch {
		case left.equal(have):
			v.before++
			shift = v.span() / 4
		case left.equal(want):
			v.after++
			shift = -v.span() / 4
		default:
			v.amid++
		}
		// A director that was just started is at its change sooner or later than one
		// that was not, and a machine now faster, now slower.
		if timed {
			v.middle = max(0, v.middle+shift)
		}
		if p, err = v.launch(path); err != nil {
			return err
		}
		began = time.Now()
		if err = v.listens(); err == nil {
			_, _, err = v.until(want, left)
		}
		if err != nil {
			return fmt.Errorf("kill %d, %s after the signal: after the restart: %w", v.kills, ms(delay), err)
		}
		v.start = max(v.start, time.Since(began))
		have = want
	}
	if err := p.Stop(scenario.StopLimit); err != nil {
		return err
	}
	left, err := v.still()
	if err == nil && len(left) > 0 {
		err = errors.New("a clean stop has left " + left.unlike(killTable{}))
	}
	return err
}
