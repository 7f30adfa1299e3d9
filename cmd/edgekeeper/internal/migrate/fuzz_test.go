package migrate

import (
	"os"
	"testing"
	"testing/fstest"

	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/config"
)

// FuzzTranslate: no text makes the translator panic, and whatever it gives can be
// written, and is either a configuration or refused.
func FuzzTranslate(f *testing.F) {
	for _, pattern := range []string{"testdata/*.conf", "testdata/bad/*.conf"} {
		for _, n := range inputs(f, pattern, 2) {
			text, err := os.ReadFile(n)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(string(text))
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		doc, _ := Translate(fstest.MapFS{"a.conf": {Data: []byte(text)}}, "a.conf", host)
		_ = doc.HCL()
		cfg, err := config.Check(doc.Body(), nil)
		if (cfg == nil) == (err == nil) {
			t.Errorf("Check gave %v, %v", cfg, err)
		}
	})
}
