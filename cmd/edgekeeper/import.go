package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/urfave/cli/v2"

	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/config"
	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/inputs"
	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/migrate"
)

func importCommand() *cli.Command {
	return &cli.Command{
		Name: "import", Usage: "translate a keepalived.conf", ArgsUsage: "PATH.conf",
		Description: "Prints HCL on stdout, and on stderr, with file, line and column, what edgekeeper does otherwise. " +
			"What could not be understood is an error, and so is what a director would refuse: the rest is printed all the same, and the exit code is 1.",
		Flags:  []cli.Flag{jsonFlag(), configIDFlag()},
		Before: arguments(1, 1),
		Action: func(c *cli.Context) error {
			path := c.Args().First()
			doc, findings, err := translate(path, c.String("config-id"), inputs.New(os.Getenv))
			if err != nil {
				return err
			}
			_, err = config.Check(doc.Body(), os.Getenv)
			var refused config.Error
			if err != nil && !errors.As(err, &refused) {
				return err
			}
			for _, d := range refused {
				f := migrate.Finding{Severity: migrate.Error, Message: d.Message}
				f.At.File, f.At.Line, f.At.Column = d.File, d.Line, d.Column
				findings = append(findings, f)
			}
			for _, f := range findings {
				if _, err := fmt.Fprintln(c.App.ErrWriter, f); err != nil {
					return fmt.Errorf("write differences: %w", err)
				}
			}
			err = output(c, imported{HCL: string(doc.HCL()), Findings: findings}, func(w io.Writer, i imported) error {
				_, err := io.WriteString(w, i.HCL)
				return err
			})
			if err == nil && migrate.Failed(findings) {
				return exitCode(1)
			}
			return err
		},
	}
}

// imported is what `import -json` prints.
type imported struct {
	HCL      string            `json:"hcl"`
	Findings []migrate.Finding `json:"findings,omitempty"`
}
