// Package version tells which build this is.
package version

import "runtime/debug"

// release is set by the linker for a release (-X …/version.release=1.2.3).
var release = "dev"

// Info describes the build.
type Info struct {
	Version  string `json:"version"`
	Revision string `json:"revision,omitempty"`
	Modified bool   `json:"modified,omitempty"`
	Go       string `json:"go"`
}

// Get reads what the linker and the toolchain recorded.
func Get() Info {
	i := Info{Version: release}
	b, ok := debug.ReadBuildInfo()
	if !ok {
		return i
	}
	i.Go = b.GoVersion
	for _, s := range b.Settings {
		switch s.Key {
		case "vcs.revision":
			i.Revision = s.Value
		case "vcs.modified":
			i.Modified = s.Value == "true"
		}
	}
	return i
}

// String gives the version, with the revision's first letters where it is known.
func String() string {
	i := Get()
	if len(i.Revision) >= 12 {
		return i.Version + " (" + i.Revision[:12] + ")"
	}
	return i.Version
}
