package main

import (
	"errors"
	"math"
	"strconv"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/spf13/cobra"
)

// timeout is the flag for the life of an entry, written as in CACHE_DEFAULT_TIMEOUT.
type timeout struct {
	given bool
	life  time.Duration
}

func (t *timeout) addTo(cmd *cobra.Command) {
	cmd.Flags().VarP(t, "timeout", "t", `life of the entry, as seconds or a duration like 10m; 0 never expires (default CACHE_DEFAULT_TIMEOUT)`)
	cmd.RegisterFlagCompletionFunc("timeout", cobra.FixedCompletions([]string{"30s", "5m", "1h", "24h", "0"}, cobra.ShellCompDirectiveNoFileComp))
}

// options is empty where the default of the cache applies.
func (t *timeout) options() []cache.SetOption {
	if !t.given {
		return nil
	}
	return []cache.SetOption{cache.Timeout(t.life)}
}

// Set parses the flag.
func (t *timeout) Set(text string) error {
	life, err := time.ParseDuration(text)
	if err != nil {
		seconds, err := strconv.ParseFloat(text, 64)
		if err != nil || !(math.Abs(seconds) < math.MaxInt64/float64(time.Second)) {
			return errors.New(`neither seconds nor a duration such as "10m"`)
		}
		life = time.Duration(seconds * float64(time.Second))
	}
	if life < 0 {
		return errors.New("negative (0 means never)")
	}
	t.given, t.life = true, life
	return nil
}

// String is what the help calls the default: there is none.
func (t *timeout) String() string {
	if !t.given {
		return ""
	}
	return t.life.String()
}

// Type is what the help calls the value.
func (t *timeout) Type() string { return "DURATION" }
