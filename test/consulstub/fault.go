package consulstub

import (
	"bytes"
	"net/http"
	"strconv"
	"time"
)

// Fault is a way in which Consul can fail.
type Fault uint8

// The faults. Each changes every answer to a read until it is switched off.
const (
	None        Fault = iota
	Refused           // no connection (in memory only)
	Status500         // as without a leader for 7 s
	Status403         // permission denied
	Status429         // rate limited
	NoLeader          // 200 with an empty list and KnownLeader false: a server after a restart
	Filtered          // 200 with an empty list, emptied by ACLs, and a header that says so
	Anonymous         // 200 with an empty list, emptied by ACLs, and no word about it
	Garbage           // 200 and what is not JSON
	Null              // 200 and null
	CutBody           // 200 and the first half of the answer
	Stranger          // 200 and [] from something that is not Consul
	EmptyStream       // blocking queries end at once with an empty streaming answer
	Unblocked         // every query is answered at once, whatever its index
	ZeroIndex         // the same, with index 0
	Hang              // no answer at all
	Huge              // 200 and an answer that is too long to be one (over a socket)
	Rewound           // every answer has index 1, as if the data had begun anew, and is the old one
)

var faultNames = [...]string{
	"none", "refused", "status 500", "status 403", "status 429", "no leader", "filtered", "anonymous", "garbage",
	"null", "cut body", "stranger", "empty stream", "unblocked", "zero index", "hang", "huge", "rewound",
}

// String gives a few words.
func (f Fault) String() string {
	if int(f) < len(faultNames) {
		return faultNames[f]
	}
	return "unknown"
}

// reply answers a read, or fails at it.
func reply(w http.ResponseWriter, fault Fault, body []byte, none bool, index uint64, lag time.Duration, streaming bool) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	leader := "true"
	switch fault {
	case None, Unblocked, Hang, Huge:
	case Rewound:
		index = 1
	case Refused:
		panic(http.ErrAbortHandler)
	case Status500:
		http.Error(w, "No cluster leader", http.StatusInternalServerError)
		return
	case Status403:
		http.Error(w, "Permission denied: token with AccessorID '1' lacks permission 'service:read'", http.StatusForbidden)
		return
	case Status429:
		http.Error(w, "rate limit exceeded for operation type \"global/read\", try again later or against a different server", http.StatusTooManyRequests)
		return
	case NoLeader:
		leader, body, index = "false", []byte("[]"), 1
	case Filtered:
		h.Set("X-Consul-Results-Filtered-By-ACLs", "true")
		body = []byte("[]")
	case Anonymous:
		h.Set("X-Consul-Default-ACL-Policy", "deny")
		body = []byte("[]")
	case Garbage:
		body = []byte("<html>502 Bad Gateway</html>")
	case Null:
		body = []byte("null")
	case Stranger:
		w.Write([]byte("[]"))
		return
	case CutBody:
		body = body[:len(body)/2]
	case EmptyStream:
		if streaming {
			body, index = []byte("[]"), 0
		}
	case ZeroIndex:
		index = 0
	}
	h.Set("X-Consul-Index", strconv.FormatUint(index, 10))
	if streaming {
		h.Set("X-Consul-Query-Backend", "streaming")
		leader, lag = "false", 0
	}
	h.Set("X-Consul-KnownLeader", leader)
	h.Set("X-Consul-LastContact", strconv.FormatInt(lag.Milliseconds(), 10))
	if none && fault == None {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	if fault == Huge {
		huge(w)
		return
	}
	w.Write(body)
	if fault == CutBody {
		panic(http.ErrAbortHandler)
	}
}

// huge writes the beginning of a list and then nothing but space, for as long as
// anybody reads it, at most 256 MiB.
func huge(w http.ResponseWriter) {
	space := bytes.Repeat([]byte(" "), 1<<20)
	if _, err := w.Write([]byte("[")); err != nil {
		return
	}
	for range 256 {
		if _, err := w.Write(space); err != nil {
			return
		}
	}
}
