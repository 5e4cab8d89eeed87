package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/spf13/cobra"
)

// layer is one source of settings.
type layer struct {
	name   string
	config cache.Config
}

// layers returns the sources of the settings, the one that overrides all others
// last.
func (a *app) layers() ([]layer, error) {
	layers := []layer{{"environment", cache.FromEnv(a.environ)}}
	if a.configFile != "" {
		f, err := os.Open(a.configFile)
		if err != nil {
			return nil, usagef("--config: %w", err)
		}
		defer f.Close()
		config := cache.FromJSON(f)
		if err := config.Err(); err != nil {
			return nil, usagef("--config %s: %w", a.configFile, err)
		}
		layers = append(layers, layer{a.configFile, config})
	}
	// The exit status reports failures, so they must not become misses.
	layers = append(layers, layer{"cachectl", cache.FromMap(map[string]any{"CACHE_IGNORE_ERRORS": false})})
	if merge(layers).Has("CACHE_TYPE") {
		return layers, nil
	}
	builtin := map[string]any{"CACHE_TYPE": "filesystem"}
	if dir := userCacheDir(); dir != "" {
		builtin["CACHE_DIR"] = filepath.Join(dir, "cachectl")
	}
	return append([]layer{{"default", cache.FromMap(builtin)}}, layers...), nil
}

// userCacheDir returns "" if the user has no home directory. Jobs of cron and
// systemd often have no HOME; the directory then comes from the user database.
// Tests replace it.
var userCacheDir = func() string {
	if dir, err := os.UserCacheDir(); err == nil {
		return dir
	}
	if u, err := user.Current(); err == nil && filepath.IsAbs(u.HomeDir) {
		return filepath.Join(u.HomeDir, ".cache")
	}
	return ""
}

func merge(layers []layer) cache.Config {
	var merged cache.Config
	for _, l := range layers {
		merged = merged.Override(l.config)
	}
	return merged
}

var errNoDirectory = errors.New("no home directory for the default cache: set HOME, CACHE_DIR or CACHE_TYPE")

// open opens the backend that the settings describe. The layers in over override
// all others.
func (a *app) open(ctx context.Context, over ...layer) (*cache.Cache, error) {
	layers, err := a.layers()
	if err != nil {
		return nil, err
	}
	config := merge(append(layers, over...))
	if layers[0].name == "default" && !config.Has("CACHE_DIR") {
		return nil, errNoDirectory
	}
	c, err := cache.Open(ctx, config)
	if errors.Is(err, cache.ErrInvalidSettings) {
		return nil, usageError{err}
	}
	return c, err
}

// action is what a command does with the open cache.
type action func(ctx context.Context, c *cache.Cache, args []string) error

// withCache returns a command body that opens the cache, calls do and closes the
// cache.
func (a *app) withCache(do action, over ...layer) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		c, err := a.open(cmd.Context(), over...)
		if err != nil {
			return err
		}
		err = do(cmd.Context(), c, args)
		if closing := c.Close(); closing != nil {
			return errors.Join(err, fmt.Errorf("closing: %w", closing))
		}
		return err
	}
}

func (a *app) configCommand() *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Print the settings in effect and their sources, with secrets masked",
		Args:  cobra.NoArgs,
	}
	cmd.Flags().BoolVarP(&all, "all", "a", false, "also print settings that are not set, with default and meaning")
	cmd.RunE = func(*cobra.Command, []string) error {
		layers, err := a.layers()
		if err != nil {
			return err
		}
		settings := inEffect(layers)
		if all {
			settings = append(settings, unset(settings)...)
		}
		return a.result(true, object{"settings": settings, "backends": cache.Registered()}, settingsTable(settings))
	}
	return cmd
}

// setting is one row of the output of config.
type setting struct {
	Key     string `json:"key"`
	Value   any    `json:"value"` // masked
	From    string `json:"from"`
	Meaning string `json:"meaning,omitempty"`
}

// inEffect lists the settings that are set.
func inEffect(layers []layer) []setting {
	from := make(map[string]string)
	for _, l := range layers {
		for key := range l.config.Masked() {
			from[key] = l.name
		}
	}
	masked := merge(layers).Masked()
	settings := make([]setting, 0, len(masked))
	for _, key := range slices.Sorted(maps.Keys(masked)) {
		settings = append(settings, setting{Key: key, Value: masked[key], From: from[key]})
	}
	return settings
}

// unset lists the settings of all backends that are not in settings.
func unset(settings []setting) []setting {
	var unset []setting
	for _, known := range cache.KnownSettings() {
		if slices.ContainsFunc(settings, func(s setting) bool { return s.Key == known.Key }) {
			continue
		}
		meaning := known.Meaning
		if len(known.Backends) > 0 {
			meaning = strings.Join(known.Backends, ", ") + ": " + meaning
		}
		unset = append(unset, setting{Key: known.Key, Value: known.Default, From: "not set", Meaning: meaning})
	}
	return unset
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

// display formats a value so that it stays in its line and column.
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
