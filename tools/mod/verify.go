package main

import (
	"context"

	"github.com/spf13/cobra"
)

func (a *app) verifyCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "verify",
		Short: "Check the list of modules and what each must hold",
		Long: `Check the list of modules and what each must hold.

The list of go.work is compared with the disk, the workflows of CI and the table
of the README; go.mod files with what modules may require of each other and of
the world; imports, tests included, with the same; and each released module must
have its documentation, changelog and licence.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			w, err := a.open()
			if err != nil {
				return err
			}
			list, err := w.verify(cmd.Context())
			if err != nil {
				return err
			}
			return a.report(list)
		},
	}
}

func (w *workspace) verify(ctx context.Context) (findings, error) {
	tagged, err := w.versions(ctx)
	if err != nil {
		return nil, err
	}
	var f findings
	for _, check := range []func(*findings) error{w.verifyDisk, w.verifyWorkflows, w.verifyTable} {
		if err := check(&f); err != nil {
			return nil, err
		}
	}
	w.verifyGoLines(&f)
	for _, m := range w.Modules {
		w.verifyReplaces(m, &f)
		if !m.Released() {
			continue
		}
		w.verifyFiles(m, &f)
		w.verifyRequires(m, &f)
		w.verifyVersions(m, tagged, &f)
	}
	return f, w.verifyImports(&f)
}
