package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/hashicorp/nomad/api"
)

// Client submits jobs to one Nomad region and watches them.
type Client struct {
	nomad    *api.Client
	progress func(string)
}

// New returns a client for cfg; api.DefaultConfig gives what the usual NOMAD_
// variables say. progress takes one line per step that a person would like to
// see; nil discards.
func New(cfg *api.Config, progress func(string)) (*Client, error) {
	c, err := api.NewClient(cfg)
	if err != nil {
		return nil, fmt.Errorf("reach Nomad: %w", err)
	}
	if progress == nil {
		progress = func(string) {}
	}
	return &Client{nomad: c, progress: progress}, nil
}

func (c *Client) sayf(format string, args ...any) { c.progress(fmt.Sprintf(format, args...)) }

// Job is a job file with the values of its variables, as Nomad understood it.
type Job struct {
	api        *api.Job
	submission *api.JobSubmission
}

// ID is the job's id in Nomad.
func (j *Job) ID() string { return *j.api.ID }

// JSON is the job as it is submitted, as `nomad job run -output` prints it.
func (j *Job) JSON() ([]byte, error) {
	b, err := json.MarshalIndent(struct{ Job *api.Job }{j.api}, "", "    ")
	if err != nil {
		return nil, fmt.Errorf("write job %s: %w", j.ID(), err)
	}
	return b, nil
}

// Parse has Nomad read a job file with the given values.
func (c *Client) Parse(ctx context.Context, f File, v Values) (*Job, error) {
	variables, err := f.Variables(v)
	if err != nil {
		return nil, err
	}
	var job api.Job
	// The library's ParseHCLOpts takes no context.
	_, err = c.nomad.Raw().Write("/v1/jobs/parse", &api.JobsParseRequest{JobHCL: f.Text, Variables: variables}, &job, (&api.WriteOptions{}).WithContext(ctx))
	if err != nil {
		return nil, fmt.Errorf("parse %s: %w", f.Name, plain(err))
	}
	if job.ID == nil {
		return nil, fmt.Errorf("parse %s: Nomad found no job in it", f.Name)
	}
	return &Job{api: &job, submission: &api.JobSubmission{Source: f.Text, Format: "hcl2", Variables: variables}}, nil
}

// read are the options of a read that ends with ctx.
func read(ctx context.Context) *api.QueryOptions { return (&api.QueryOptions{}).WithContext(ctx) }

func write(ctx context.Context) *api.WriteOptions { return (&api.WriteOptions{}).WithContext(ctx) }

// missing reports whether Nomad answered that the object does not exist.
func missing(err error) bool {
	var e api.UnexpectedResponseError
	return errors.As(err, &e) && e.StatusCode() == http.StatusNotFound
}

// plain takes Nomad's own words out of the wrapping of its library.
func plain(err error) error {
	var e api.UnexpectedResponseError
	if errors.As(err, &e) && e.HasBody() {
		return errors.New(strings.Join(strings.Fields(e.Body()), " "))
	}
	return err
}
