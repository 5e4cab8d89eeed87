package gcs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
)

// A few keys are not worth many requests, and a hundred are not answered faster by
// one than by some at the same time.
const fewParts, someChunks = 10, 4

// deleteChunks removes keys in requests of many and returns an error for each.
func (b *Backend) deleteChunks(ctx context.Context, keys []string, deleted []bool) []error {
	size := min(max((len(keys)+someChunks-1)/someChunks, fewParts), mostParts)
	chunks := slices.Collect(slices.Chunk(keys, size))
	errs := make([]error, len(keys))
	failed := b.parallel(len(chunks), func(c int) error {
		begin := c * size
		end := begin + len(chunks[c])
		return b.deleteChunk(ctx, chunks[c], deleted[begin:end], errs[begin:end])
	})
	for i := range keys {
		if err := failed[i/size]; err != nil {
			errs[i] = err
		}
	}
	return errs
}

// deleteChunk returns an error where all of the chunk fails, and puts those of
// single keys into errs.
func (b *Backend) deleteChunk(ctx context.Context, keys []string, deleted []bool, errs []error) error {
	found, err := b.attributesOf(ctx, keys)
	if errors.Is(err, errAbsent) { // a server that does not know requests of many
		copy(errs, b.deleteEach(ctx, keys, deleted))
		return nil
	}
	if err != nil {
		return err
	}
	var places, alone []int // in keys
	var parts []part
	for i, f := range found {
		switch {
		case f.err != nil:
			alone = append(alone, i)
		case f.there:
			places = append(places, i)
			parts = append(parts, b.part(http.MethodDelete, b.prefix+keys[i], f.onlyIfExpired()))
		}
	}
	replies, err := b.multi(ctx, once, parts)
	for n, i := range places {
		if err != nil {
			errs[i] = err
			continue
		}
		errReply := replies[n].err()
		switch code := replies[n].status; {
		case errReply == nil:
			deleted[i] = !found[i].isExpired()
		case code == http.StatusNotFound, code == http.StatusPreconditionFailed:
		case faultOf(errReply) == refused:
			alone = append(alone, i)
		default:
			errs[i] = failure(errReply, faultOf(errReply) == unanswered)
		}
	}
	for n, errAlone := range b.parallel(len(alone), func(n int) (err error) {
		deleted[alone[n]], err = b.Delete(ctx, keys[alone[n]])
		return err
	}) {
		errs[alone[n]] = errAlone
	}
	return nil
}

// found is what one reply tells of an object.
type found struct {
	entry
	there bool
	err   error
}

// onlyIfExpired is the condition of a delete, for what has taken the place of an
// expired object is not what was found.
func (f found) onlyIfExpired() string {
	if !f.isExpired() {
		return ""
	}
	return fmt.Sprintf("?ifGenerationMatch=%d", f.generation)
}

// attributesOf asks for the objects of keys in one request.
func (b *Backend) attributesOf(ctx context.Context, keys []string) ([]found, error) {
	parts := make([]part, len(keys))
	for i, key := range keys {
		parts[i] = b.part(http.MethodGet, b.prefix+key, "?fields=generation,metadata")
	}
	replies, err := b.multi(ctx, read, parts)
	if err != nil {
		return nil, err
	}
	all := make([]found, len(keys))
	for i, reply := range replies {
		err := reply.err()
		if err == nil {
			var object struct {
				Generation int64             `json:"generation,string"`
				Metadata   map[string]string `json:"metadata"`
			}
			err = json.Unmarshal(reply.body, &object)
			all[i].entry = entryOf(object.Generation, object.Metadata)
		} else {
			err = failure(err, false)
		}
		all[i].there, all[i].err = b.isThere(ctx, err)
	}
	return all, nil
}
