package gcs

import (
	"context"
	"errors"
	"net/http"

	"cloud.google.com/go/storage"
)

// Delete reads the expiry of the object, for an expired entry is absent, and removes
// the object on the condition that it is still the same. The condition makes the
// second request repeatable: it never removes what was stored in the meantime.
func (b *Backend) Delete(ctx context.Context, key string) (deleted bool, err error) {
	o, err := b.object(key)
	if err != nil {
		return false, err
	}
	err = b.race(ctx, func(ctx context.Context) (decided bool, err error) {
		e, found, err := o.attributes(ctx)
		if err != nil || !found {
			return true, err
		}
		if e.isExpired() {
			o.purge(ctx, e)
			return true, nil
		}
		deleted, err = o.delete(ctx, e)
		return deleted, err
	})
	return deleted, err
}

// delete removes the object if it is still e, and reports whether it did.
//
// A 503 may come from a proxy that lost the response of the service. A repeated upload
// recognises what it stored, but a repeated delete does not recognise what it removed.
func (o object) delete(ctx context.Context, e entry) (bool, error) {
	same := o.handle.If(storage.Conditions{GenerationMatch: e.generation})
	err := o.b.write(ctx, func(ctx context.Context) error {
		err := same.Delete(ctx)
		if status(err) == http.StatusServiceUnavailable {
			return uncertainError{err}
		}
		return err
	})
	if errors.Is(err, errAbsent) || errors.Is(err, errCondition) {
		return false, nil
	}
	return err == nil, err
}

// purge removes the object if it is still e, which has expired. A failure is ignored:
// it leaves an object that is absent for every method.
func (o object) purge(ctx context.Context, e entry) {
	ctx, cancel := o.b.bounded(ctx)
	defer cancel()
	_ = o.handle.If(storage.Conditions{GenerationMatch: e.generation}).Delete(ctx)
}

// remove removes whatever object has name.
func (b *Backend) remove(ctx context.Context, name string) error {
	o := b.bucket.Object(name)
	return b.write(ctx, func(ctx context.Context) error {
		err := o.Delete(ctx)
		if status(err) == http.StatusNotFound {
			return nil
		}
		return err
	})
}
