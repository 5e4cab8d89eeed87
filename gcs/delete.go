package gcs

import (
	"context"
	"errors"
	"net/http"

	"cloud.google.com/go/storage"
)

// Delete reads the expiry of the object, because an expired entry is absent, and
// removes the object on the condition that it is still the same. The condition makes
// the second request repeatable: it never removes what was stored in the meantime.
func (b *Backend) Delete(ctx context.Context, key string) (deleted bool, err error) {
	o, err := b.object(key)
	if err != nil {
		return false, err
	}
	err = b.race(ctx, func(ctx context.Context) (decided bool, err error) {
		e, err := o.attributes(ctx)
		live := e.isLive()
		switch {
		case err != nil || e.generation == 0:
			return true, err
		case !live && e.lease == 0:
			o.purge(ctx, e)
			return true, nil
		}
		removed, err := o.delete(ctx, e) // a lease too: if it stayed, it could be filled
		deleted = removed && live
		return removed, err
	})
	return deleted, err
}

// delete removes the object if it is still e, and reports whether it did.
//
// A 503 may come from a proxy that lost the response of the service. A repeated upload
// recognises what it stored, but a repeated delete does not recognise what it removed.
func (o object) delete(ctx context.Context, e entry) (bool, error) {
	same := o.same(e)
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

// same is the object on the condition that it is still e, or still absent.
func (o object) same(e entry) *storage.ObjectHandle {
	return o.handle.If(storage.Conditions{GenerationMatch: e.generation, DoesNotExist: e.generation == 0})
}

// purge removes the object if it is still e, which has expired. A failure is ignored:
// it leaves an object that is absent for every method.
func (o object) purge(ctx context.Context, e entry) {
	ctx, cancel := o.b.bounded(ctx)
	defer cancel()
	_ = o.same(e).Delete(ctx)
}

// remove is delete for callers that need not know who removed the object. removed is false
// if a repeated request did not find what the first one had removed.
func (o object) remove(ctx context.Context, e entry) (removed bool, err error) {
	same := o.same(e)
	err = o.b.write(ctx, func(ctx context.Context) error {
		err := same.Delete(ctx)
		removed = err == nil
		if code := status(err); code == http.StatusNotFound || code == http.StatusPreconditionFailed {
			return nil
		}
		return err
	})
	return removed, err
}
