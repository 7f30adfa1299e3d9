package config

import (
	"time"
)

// trackDefinitions are the blocks at the top of a file that define a tracker.
var trackDefinitions = []*blockType{trackScriptType, trackFileType, trackProcessType, trackConsulType}

// trackUses are the blocks that use a tracker, for every kind of block that may.
var trackUses = []*blockType{trackType, trackInterfaceType, trackServerType}

const trackLabel = "the name of the tracker, one among all trackers"

var trackScriptType = &blockType{
	name: "track_script", label: trackLabel, unique: true,
	doc: "A tracker that runs a program at intervals: up while it exits with 0. It must be used by a `track` block. The first run decides at once, and a router for which the tracker is a fault waits for it at the start of the director. A run that is due while the one before still runs is left out. Exactly one of `command` and `shell` is needed.",
	args: []argument{
		{name: "command", kind: texts, doc: "The program, an absolute path, and its arguments. There is no shell in between."},
		{name: "shell", kind: text, doc: "Text for `/bin/sh -c`."},
		{name: "interval", kind: duration, def: "1s", lo: int64(10 * time.Millisecond), hi: maxDelay, doc: "Time between the starts of two runs."},
		{name: "timeout", kind: duration, def: "0s", defText: "the interval", lo: int64(10 * time.Millisecond), hi: maxDelay, doc: "Time after which a run counts as failed and is ended: TERM to its process group, KILL two seconds later."},
		{name: "rise", kind: number, def: "1", lo: 1, hi: maxInt32, doc: "Successes in a row that make the tracker up."},
		{name: "fall", kind: number, def: "1", lo: 1, hi: maxInt32, doc: "Failures in a row that make it down."},
		{name: "user", kind: text, defText: "the director's", doc: "Who runs it, `name` or `name:group`. Looked up at each run; one that does not exist is a failure."},
		{name: "init_fail", kind: boolean, def: "false", doc: "Begin with down, so that `rise` successes are needed for the first up."},
	},
	sample: `track_script "nginx" {
  command  = ["/usr/bin/curl", "-fsS", "http://127.0.0.1/health"]
  interval = "2s"
  fall     = 2
}`,
}

var trackFileType = &blockType{
	name: "track_file", label: trackLabel, unique: true,
	doc: "A tracker that reads a number from the first line of a file: times the weight it shifts the priority; with weight 0 any number but 0 is a fault, and so is a product below -253. A change acts at once. An empty file counts as 0; while the file holds no number the last one stands.",
	args: []argument{
		{name: "path", kind: text, required: true, doc: "The file, an absolute path."},
		{name: "missing", kind: number, def: "0", lo: -maxInt32, hi: maxInt32, doc: "The number while there is no file."},
		{name: "create", kind: boolean, def: "false", doc: "Write a file with the number `missing` when there is none at the start (keepalived's `init_file`)."},
	},
	sample: `track_file "maintenance" {
  path = "/run/edgekeeper-maintenance"
}`,
}

var trackProcessType = &blockType{
	name: "track_process", label: trackLabel, unique: true,
	doc: "A tracker that counts processes: up while enough run that match. The kernel tells which come and go where the director may ask it; elsewhere, as in a container, /proc is read at intervals.",
	args: []argument{
		{name: "process", kind: text, required: true, doc: "The program: an absolute path, compared with the first word of the command line, or a name, compared with the last part of that word and with the kernel's name of the process."},
		{name: "arguments", kind: texts, defText: "any", doc: "Arguments that it must have."},
		{name: "arguments_match", kind: text, def: "exact", choices: processMatches, doc: "`exact`: these and no others. `initial`: more may follow. `partial`: more may follow, also on the last of these (`[\"-f\", \"/etc/haproxy\"]`)."},
		{name: "quorum", kind: number, def: "1", lo: 0, hi: maxInt32, doc: "How many must run."},
		{name: "quorum_max", kind: number, def: "0", defText: "no limit", lo: 0, hi: maxInt32, doc: "How many may run. With `quorum = 0` and `quorum_max = 0` the tracker is up while none runs."},
		{name: "up_delay", kind: duration, def: "0s", lo: 0, hi: maxDelay, doc: "Time for which there must be enough before the tracker is up (keepalived's `fork_delay`). The first look counts at once."},
		{name: "down_delay", kind: duration, def: "0s", lo: 0, hi: maxDelay, doc: "Time for which there must be too few before it is down (keepalived's `terminate_delay`)."},
		{name: "interval", kind: duration, def: "1s", lo: second / 10, hi: maxDelay, doc: "Time between two looks at /proc where the kernel does not tell."},
	},
	sample: `track_process "haproxy" {
  process    = "haproxy"
  down_delay = "2s"
}`,
}

var trackConsulType = &blockType{
	name: "track_consul", label: trackLabel, unique: true,
	doc: "A tracker that follows Consul: a service (`service`), or a check (`check` and `node`). Up while it passes. Before Consul's first answer it has no effect, and while Consul fails its last answer stands.",
	args: []argument{
		{name: "service", kind: text, doc: "Name of a service: up while enough of its instances pass all their checks."},
		{name: "check", kind: text, doc: "Id or name of a check, a node's or a service's: up while it passes. `serfHealth` is Consul's own check of the node."},
		{name: "node", kind: text, defText: "any (`service`)", doc: "Node that has the instances, or the check."},
		{name: "tags", kind: texts, doc: "Tags that instances of the service must have."},
		{name: "passing", kind: number, def: "1", lo: 1, hi: maxInt32, doc: "How many instances of the service must pass."},
		{name: "allow_warning", kind: boolean, def: "false", doc: "Count the state warning as passing."},
		{name: "datacenter", kind: text, defText: "that of the `consul` block", doc: "Datacenter that is asked."},
	},
	sample: `track_consul "local-checks" {
  node  = "lvs1"
  check = "serfHealth"
}`,
}

// useArgs are the arguments of every block that uses a tracker.
var useArgs = []argument{
	{name: "weight", kind: number, def: "0", lo: -253, hi: 253, doc: "Added to the priority, a positive one while the tracker is up, a negative one while it is down; a file's number is multiplied by it. The sum is kept within 1 and 254. 0: while the tracker is down the router is in state FAULT and takes no part."},
	{name: "reverse", kind: boolean, def: "false", doc: "Turn the sign of the shift around. With weight 0: FAULT while the tracker is up."},
}

var trackType = &blockType{
	name: "track", label: "the name of a `track_script`, `track_file`, `track_process` or `track_consul` block", unique: true,
	doc:  "What a tracker that is defined at the top does to this router.",
	args: useArgs,
}

var trackInterfaceType = &blockType{
	name: "track_interface", label: "the interface", unique: true,
	doc: "Another interface than that of the adverts, which need not exist: up while it is up and has a carrier.",
	args: append(useArgs[:len(useArgs):len(useArgs)],
		argument{name: "up_delay", kind: duration, def: "0s", lo: 0, hi: maxDelay, doc: "Time for which it must be up before that counts (keepalived's `interface_up_down_delays`). The same wherever the interface is tracked."},
		argument{name: "down_delay", kind: duration, def: "0s", lo: 0, hi: maxDelay, doc: "Time for which it must be down before that counts."},
	),
}

var trackServerType = &blockType{
	name: "track_virtual_server", label: "the name of a `virtual_server`", unique: true,
	doc:  "The pool behind an address: down while the virtual server is below its `quorum`, so that no address is held without a pool. What is not known yet, at the start, has no effect. When all directors lose the pool, with weight 0 none holds the address; a negative weight prefers the one that has the pool.",
	args: useArgs,
}

// processMatches are the values of arguments_match, in the order of the
// constants.
var processMatches = []string{"exact", "initial", "partial"}
