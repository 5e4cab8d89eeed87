package main

import (
	"bytes"
	"context"
	"encoding/json"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/spf13/cobra"
)

func (a *app) setManyCommand() *cobra.Command {
	in := input{file: "-"}
	var life timeout
	cmd := &cobra.Command{
		Use:   "set-many",
		Short: "Store several entries, from KEY=VALUE lines or a JSON object",
		Long: `Store the entries that stdin or a file holds: one JSON object, or KEY=VALUE lines.
A string in JSON is stored as its text, anything else as JSON. In lines, nothing is
trimmed, "quoted" keys and values are read as in Go, and # begins a comment line.`,
		Example: `  cachectl set-many --timeout 1h --file entries.json
  printf 'a=1\nb=2\n' | cachectl set-many`,
		Args: cobra.NoArgs,
	}
	in.addTo(cmd)
	life.addTo(cmd)
	cmd.RunE = a.withCache(func(ctx context.Context, c *cache.Cache, _ []string) error {
		data, err := in.read(a)
		if err != nil {
			return err
		}
		items, err := parseItems(data)
		if err != nil {
			return usagef("%s: %w", in.file, err)
		}
		if err := c.SetMany(ctx, items, life.options()...); err != nil {
			return err
		}
		return a.answer(true, object{"stored": len(items)}, nil)
	})
	return cmd
}

func parseItems(data []byte) (map[string][]byte, error) {
	if !bytes.HasPrefix(bytes.TrimSpace(data), []byte("{")) {
		return parseLines(data)
	}
	var values map[string]json.RawMessage
	if err := json.Unmarshal(data, &values); err != nil {
		return nil, err
	}
	items := make(map[string][]byte, len(values))
	for key, value := range values {
		var text string
		if json.Unmarshal(value, &text) == nil && value[0] == '"' {
			value = []byte(text)
		}
		items[key] = value
	}
	return items, nil
}
