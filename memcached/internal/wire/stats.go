package wire

import (
	"bytes"
	"context"
	"strconv"
	"sync"
)

// Stats are statistics of a server. A number is -1 if the server does not return it.
type Stats struct {
	Items     int64
	Bytes     int64 // of the items
	MaxBytes  int64
	Evictions int64 // since the server was started
}

var unknownStats = Stats{-1, -1, -1, -1}

// set sets a number by the name that the server gives it.
func (s *Stats) set(name, text []byte) (err error) {
	var n *int64
	switch string(name) {
	case "curr_items":
		n = &s.Items
	case "bytes":
		n = &s.Bytes
	case "limit_maxbytes":
		n = &s.MaxBytes
	case "evictions":
		n = &s.Evictions
	default:
		return nil
	}
	*n, err = strconv.ParseInt(string(text), 10, 64)
	return err
}

// Stats returns the statistics of every server by its address.
func (c *Client) Stats(ctx context.Context) (map[string]Stats, error) {
	var mu sync.Mutex
	all := map[string]Stats{}
	err := c.eachNode(func(n *node) error {
		r := &Request{Op: OpStats}
		if err := n.do(ctx, r); err != nil {
			return Outcome(ctx, err, false)
		}
		mu.Lock()
		defer mu.Unlock()
		all[n.addr.String()] = r.stats
		return nil
	})
	return all, err
}

// maxStats is more than the lines, or replies, with the statistics of a server.
const maxStats = 10_000

// stats reads the reply to the text command stats and calls set for each line. The
// arguments of set are valid until it returns.
func (r *reader) stats(set func(name, text []byte) error) error {
	for range maxStats {
		line, err := r.line()
		if err != nil {
			return err
		}
		if string(line) == "END" {
			return nil
		}
		stat, ok := bytes.CutPrefix(line, []byte("STAT "))
		if !ok {
			return fatal(string(line))
		}
		name, text, _ := bytes.Cut(stat, []byte(" "))
		if set(name, text) != nil {
			return ErrMalformed
		}
	}
	return ErrMalformed
}

// binaryStats does the same for the binary protocol, where the last of several replies has
// no key.
func (r *reader) binaryStats(set func(name, text []byte) error) error {
	for range maxStats {
		h, err := r.header()
		switch {
		case err != nil:
			return err
		case h.status != statusOK:
			return h.fatal()
		case h.code != codeStats || h.body > readBuffer:
			return ErrMalformed
		case h.key == 0:
			return r.skip(h.body)
		}
		body, err := r.Peek(h.body)
		if err != nil {
			return err
		}
		if set(body[h.extras:h.extras+h.key], body[h.extras+h.key:]) != nil {
			return ErrMalformed
		}
		if err := r.skip(h.body); err != nil {
			return err
		}
	}
	return ErrMalformed
}
