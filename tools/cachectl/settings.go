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
	"github.com/cachebackends/cachebackends/core/driver"
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
	layers = append(layers, strict)
	if merge(layers).Has("CACHE_TYPE") {
		return layers, nil
	}
	builtin := map[string]any{"CACHE_TYPE": "filesystem"}
	if dir := userCacheDir(); dir != "" {
		builtin["CACHE_DIR"] = filepath.Join(dir, "cachectl")
	}
	return append([]layer{{"default", cache.FromMap(builtin)}}, layers...), nil
}

// strict are settings of cachectl itself: its exit status reports failures, so they must
// not become misses.
var strict = layer{"cachectl", cache.FromMap(map[string]any{"CACHE_IGNORE_ERRORS": false})}

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

// open opens the backend that the settings describe.
func (a *app) open(ctx context.Context) (*cache.Cache, error) {
	layers, err := a.layers()
	if err != nil {
		return nil, err
	}
	return a.openLayers(ctx, layers)
}

func (a *app) openLayers(ctx context.Context, layers []layer) (*cache.Cache, error) {
	config := merge(layers)
	if a.unbounded && reads(config, "CACHE_THRESHOLD") {
		config = config.Override(cache.FromMap(map[string]any{"CACHE_THRESHOLD": 0}))
	}
	if layers[0].name == "default" && !config.Has("CACHE_DIR") {
		return nil, errNoDirectory
	}
	c, err := cache.Open(ctx, config)
	if errors.Is(err, cache.ErrInvalidSettings) {
		return nil, usageError{err}
	}
	return c, err
}

// reads reports whether the backend in config reads the setting name.
func reads(config cache.Config, name string) bool {
	typ, _ := config.Masked()["CACHE_TYPE"].(string)
	info, _ := driver.Lookup(typ)
	return slices.ContainsFunc(info.Declared(), func(s driver.Setting) bool { return s.Name == name })
}

// action is what a command does with the open cache.
type action func(ctx context.Context, c *cache.Cache, args []string) error

// withCache returns a command body that opens the cache, calls do and closes the
// cache.
func (a *app) withCache(do action) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		c, err := a.open(cmd.Context())
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
	cmd.Flags().BoolVarP(&all, "all", "a", false, "print every setting of every backend, with default and meaning")
	cmd.RunE = func(*cobra.Command, []string) error {
		layers, err := a.layers()
		if err != nil {
			return err
		}
		settings := inEffect(layers)
		if all {
			settings = withDeclared(settings)
		}
		return a.result(true, object{"settings": settings, "backends": driver.Types()}, settingsTable(settings, all))
	}
	return cmd
}

// setting is one row of the output of config.
type setting struct {
	Key     string `json:"key"`
	Value   any    `json:"value"` // masked
	From    string `json:"from"`
	Backend string `json:"backend,omitempty"` // that declares it; empty if all read it
	Default string `json:"default,omitempty"`
	Meaning string `json:"meaning,omitempty"`
}

// inEffect lists the settings that are set, with one row for each of CACHE_OPTIONS.
func inEffect(layers []layer) []setting {
	from := make(map[string]string)
	for _, l := range layers {
		for key := range l.config.Masked() {
			from[key] = l.name
		}
	}
	masked := merge(layers).Masked()
	if options, ok := masked["CACHE_OPTIONS"].(map[string]any); ok {
		delete(masked, "CACHE_OPTIONS")
		for name, value := range options {
			masked["CACHE_OPTIONS."+name], from["CACHE_OPTIONS."+name] = value, from["CACHE_OPTIONS"]
		}
	}
	var settings []setting
	for _, key := range slices.Sorted(maps.Keys(masked)) {
		settings = append(settings, setting{Key: key, Value: masked[key], From: from[key]})
	}
	return settings
}

// withDeclared lists every setting of every backend, with its value if it is in
// effect, and then the settings in effect that no backend declares.
func withDeclared(inEffect []setting) []setting {
	var rows []setting
	add := func(backend string, declared []driver.Setting) {
		for _, s := range declared {
			row := setting{Key: s.Name, From: "not set"}
			if at := slices.IndexFunc(inEffect, func(e setting) bool { return e.Key == s.Name }); at >= 0 {
				row = inEffect[at]
			}
			row.Backend, row.Default, row.Meaning = backend, s.Default, s.Help
			if s.Required {
				row.Meaning += "; required"
			}
			rows = append(rows, row)
		}
	}
	add("", driver.CommonSettings())
	for _, info := range driver.Registered() {
		add(info.Types[0], info.Declared())
	}
	for _, s := range inEffect {
		if !slices.ContainsFunc(rows, func(row setting) bool { return row.Key == s.Key }) {
			rows = append(rows, s)
		}
	}
	return rows
}

func settingsTable(settings []setting, all bool) []byte {
	var table bytes.Buffer
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	line := func(cells ...string) {
		if !all {
			cells = cells[:3]
		}
		fmt.Fprintln(w, strings.Join(cells, "\t"))
	}
	line("SETTING", "VALUE", "FROM", "DEFAULT", "BACKEND", "MEANING")
	for _, s := range settings {
		line(s.Key, display(s.Value), s.From, s.Default, s.Backend, s.Meaning)
	}
	w.Flush()
	return table.Bytes()
}

// display formats a value so that it stays in its line and column.
func display(value any) string {
	if value == nil {
		return ""
	}
	if text, ok := value.(string); ok && isPlain(text) && !strings.Contains(text, "\t") {
		return text
	}
	text, err := json.Marshal(value)
	if err != nil {
		return fmt.Sprintf("%q", fmt.Sprint(value))
	}
	return string(text)
}
