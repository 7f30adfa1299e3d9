package check

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/edgekeeper/edgekeeper/discovery"
)

// The gRPC health protocol is one HTTP/2 request whose body and answer are a
// few bytes, so it is spoken by net/http: google.golang.org/grpc would bring a
// resolver, balancers and code generation for them.
//
//	body     = 0 (not compressed), length (4 bytes), message   gRPC over HTTP/2
//	question = HealthCheckRequest  { string service = 1 }       grpc/health/v1
//	answer   = HealthCheckResponse { ServingStatus status = 1 }

// grpc makes a probe that asks whether a service is SERVING.
func (m *Maker) grpc(c discovery.Check, spec discovery.CheckSpec) (Probe, error) {
	host := spec.GRPC.Host
	if host == "" {
		host = c.Target.String()
	}
	u := &url.URL{Scheme: "http", Host: host, Path: "/grpc.health.v1.Health/Check"}
	if spec.TLS.Enabled {
		u.Scheme = "https"
	}
	question := grpcQuestion(spec.GRPC.Service)
	return m.over(c, spec, spec.GRPC.Host, []string{"h2"}, func(ctx context.Context, conn net.Conn) (Note, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), strings.NewReader(question))
		if err != nil {
			return Note{}, err
		}
		req.Header = http.Header{"Content-Type": {"application/grpc"}, "Te": {"trailers"}, "User-Agent": {"edgekeeper-check"}}
		return Note{}, overHTTP2(ctx, conn, req, grpcAnswer)
	}), nil
}

// grpcQuestion gives the body of the request.
func grpcQuestion(service string) string {
	var message []byte
	if service != "" {
		message = append(message, 1<<3|2) // field 1, length-delimited
		message = binary.AppendUvarint(message, uint64(len(service)))
		message = append(message, service...)
	}
	return string(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(message)))) + string(message)
}

// grpcCodes are those that a health check meets (google/rpc/code.proto).
var grpcCodes = map[string]string{
	"1": "CANCELLED", "2": "UNKNOWN", "3": "INVALID_ARGUMENT", "4": "DEADLINE_EXCEEDED", "5": "NOT_FOUND: the server does not know the service",
	"7": "PERMISSION_DENIED", "8": "RESOURCE_EXHAUSTED", "12": "UNIMPLEMENTED: the server has no health service", "13": "INTERNAL", "14": "UNAVAILABLE", "16": "UNAUTHENTICATED",
}

func grpcAnswer(resp *http.Response) error {
	if resp.StatusCode != http.StatusOK {
		return statusError(resp.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	if err != nil {
		return err
	}
	code := resp.Trailer.Get("Grpc-Status")
	if code == "" {
		code = resp.Header.Get("Grpc-Status") // an answer without a body
	}
	switch {
	case code == "":
		return errNoGRPC
	case code != "0":
		name := grpcCodes[code]
		if name == "" {
			name = printable(code)
		}
		return fmt.Errorf("grpc status %s", name)
	}
	status, err := grpcStatus(body)
	if err != nil {
		return err
	}
	if status != 1 {
		names := []string{"UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"}
		if status < uint64(len(names)) {
			return errors.New(names[status])
		}
		return fmt.Errorf("health status %d", status)
	}
	return nil
}

// grpcStatus takes ServingStatus from the answer's body. Fields that it does
// not know are skipped.
func grpcStatus(body []byte) (status uint64, err error) {
	if len(body) < 5 || body[0] != 0 || uint64(binary.BigEndian.Uint32(body[1:])) != uint64(len(body)-5) {
		return 0, errGRPC
	}
	for rest := body[5:]; len(rest) > 0; {
		key, n := binary.Uvarint(rest)
		if n <= 0 {
			return 0, errGRPC
		}
		rest = rest[n:]
		var skip uint64
		switch key & 7 {
		case 0:
			v, n := binary.Uvarint(rest)
			if n <= 0 {
				return 0, errGRPC
			}
			if key>>3 == 1 {
				status = v
			}
			skip = uint64(n)
		case 1:
			skip = 8
		case 2:
			size, n := binary.Uvarint(rest)
			if n <= 0 || size > uint64(len(rest)) {
				return 0, errGRPC
			}
			skip = uint64(n) + size
		case 5:
			skip = 4
		default:
			return 0, errGRPC
		}
		if skip > uint64(len(rest)) {
			return 0, errGRPC
		}
		rest = rest[skip:]
	}
	return status, nil
}

var (
	errGRPC   = errors.New("the answer is no HealthCheckResponse")
	errNoGRPC = errors.New("the answer is not gRPC")
)
