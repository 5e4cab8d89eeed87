package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/spf13/cobra"
)

// setting is a row of the answer.
type setting struct {
	Key     string `json:"key"`
	Value   any    `json:"value"` // masked
	From    string `json:"from"`
	Meaning string `json:"meaning,omitempty"`
}

func (a *app) configCommand() *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Print the settings in force and where they come from, secrets masked",
		Args:  cobra.NoArgs,
	}
	cmd.Flags().BoolVarP(&all, "all", "a", false, "also the settings that are not set, with default and meaning")
	cmd.RunE = func(*cobra.Command, []string) error {
		layers, err := a.layers()
		if err != nil {
			return err
		}
		settings := resolve(layers)
		if all {
			settings = append(settings, unset(settings)...)
		}
		fields := object{"settings": settings, "backends": cache.Registered()}
		return a.answer(true, fields, settingsTable(settings))
	}
	return cmd
}

// resolve lists the settings in force.
func resolve(layers []layer) []setting {
	from := make(map[string]string)
	for _, l := range layers {
		for key := range l.config.Masked() {
			from[key] = l.name
		}
	}
	shown := merge(layers).Masked()
	settings := make([]setting, 0, len(shown))
	for _, key := range slices.Sorted(maps.Keys(shown)) {
		settings = append(settings, setting{Key: key, Value: shown[key], From: from[key]})
	}
	return settings
}

// unset lists what could be set too.
func unset(settings []setting) []setting {
	var rest []setting
	for _, known := range cache.KnownSettings() {
		if slices.ContainsFunc(settings, func(s setting) bool { return s.Key == known.Key }) {
			continue
		}
		meaning := known.Meaning
		if len(known.Backends) > 0 {
			meaning = strings.Join(known.Backends, ", ") + ": " + meaning
		}
		rest = append(rest, setting{Key: known.Key, Value: known.Default, From: "not set", Meaning: meaning})
	}
	return rest
}

func settingsTable(settings []setting) []byte {
	var table bytes.Buffer
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "SETTING\tVALUE\tFROM")
	for _, s := range settings {
		row := s.Key + "\t" + display(s.Value) + "\t" + s.From
		if s.Meaning != "" {
			row += "\t" + s.Meaning
		}
		fmt.Fprintln(w, row)
	}
	w.Flush()
	return table.Bytes()
}

// display keeps a value on its line and in its column.
func display(value any) string {
	if text, ok := value.(string); ok && isPlain(text) && !strings.Contains(text, "\t") {
		return text
	}
	text, err := json.Marshal(value)
	if err != nil {
		return fmt.Sprintf("%q", fmt.Sprint(value))
	}
	return string(text)
}
