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

// stat takes one line of the reply to OpStats.
func (r *Request) stat(name, text []byte) error {
	if r.info != nil {
		r.info[string(name)] = string(text)
	}
	return r.stats.set(name, text)
}

// Stats returns the statistics of every server by its address.
func (c *Client) Stats(ctx context.Context) (map[string]Stats, error) {
	request := func() *Request { return &Request{Op: OpStats} }
	return ofEachNode(ctx, c, request, func(r *Request) Stats { return r.stats })
}

// Info returns everything that the servers report as statistics, by address.
func (c *Client) Info(ctx context.Context) (map[string]map[string]string, error) {
	request := func() *Request { return &Request{Op: OpStats, info: map[string]string{}} }
	return ofEachNode(ctx, c, request, func(r *Request) map[string]string { return r.info })
}

// ofEachNode sends a request to every server and returns the results by address.
func ofEachNode[T any](ctx context.Context, c *Client, request func() *Request, result func(*Request) T) (map[string]T, error) {
	var mu sync.Mutex
	all := map[string]T{}
	err := c.eachNode(func(n *node) error {
		r := request()
		if err := n.do(ctx, r); err != nil {
			return Outcome(ctx, err, false)
		}
		mu.Lock()
		defer mu.Unlock()
		all[n.addr.String()] = result(r)
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
