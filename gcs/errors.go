package gcs

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"

	"cloud.google.com/go/storage"
	cache "github.com/cachebackends/cachebackends/core"
	"google.golang.org/api/googleapi"
)

var (
	// errAbsent is the answer that there is no such object.
	errAbsent = errors.New("no such object")
	// errCondition is the answer that the condition of a write does not hold.
	errCondition = errors.New("the condition of the write does not hold")
	// errReplaced means that an object was replaced while it was being read.
	errReplaced = errors.New("the object was replaced while being read")
)

// fault says what may follow an error.
type fault int

const (
	final      fault = iota // the answer will stay the same
	refused                 // nothing was done, and may be done later
	unanswered              // whatever was asked for may have been done
	unreached               // nothing was asked
)

func faultOf(err error) fault {
	switch code := status(err); {
	case code == http.StatusTooManyRequests, code == http.StatusServiceUnavailable, isQuota(err):
		return refused
	case code == http.StatusRequestTimeout, code >= http.StatusInternalServerError:
		return unanswered
	case code != 0:
		return final
	case isUnreached(err):
		return unreached
	}
	return unanswered
}

// failure makes an error of this project's kinds out of one of the client's. lost
// says that a write may have been executed all the same.
func failure(err error, lost bool) error {
	told := brief(err)
	switch code := status(err); {
	case lost && code == http.StatusPreconditionFailed:
		return fmt.Errorf("%w: %w", cache.ErrUnknownOutcome, errCondition)
	case lost:
		return fmt.Errorf("%w: %w", cache.ErrUnknownOutcome, told)
	case errors.Is(err, storage.ErrBucketNotExist):
		return fmt.Errorf("%w: %w", cache.ErrUnavailable, told)
	case code == http.StatusNotFound:
		return errAbsent
	case code == http.StatusPreconditionFailed:
		return errCondition
	case faultOf(err) == refused:
		return fmt.Errorf("%w: %w", cache.ErrUnavailable, told)
	case code == http.StatusUnauthorized, code == http.StatusForbidden, isDenied(err):
		return fmt.Errorf("%w: %w", cache.ErrAuth, told)
	case code == http.StatusRequestEntityTooLarge:
		return fmt.Errorf("%w: %w", cache.ErrTooLarge, told)
	case faultOf(err) == final, errors.Is(err, context.Canceled): // says enough
		return told
	}
	return fmt.Errorf("%w: %w", cache.ErrUnavailable, told)
}

// status is the status code of the answer that err is about, 0 for none.
func status(err error) int {
	var answer *googleapi.Error
	switch {
	case errors.As(err, &answer):
		return answer.Code
	case errors.Is(err, storage.ErrObjectNotExist), errors.Is(err, storage.ErrBucketNotExist):
		return http.StatusNotFound
	}
	return 0
}

// isQuota reports whether err is one of the 403 that are meant as 429.
func isQuota(err error) bool {
	var answer *googleapi.Error
	if !errors.As(err, &answer) || answer.Code != http.StatusForbidden {
		return false
	}
	for _, item := range answer.Errors {
		if strings.HasSuffix(strings.ToLower(item.Reason), "ratelimitexceeded") {
			return true
		}
	}
	return false
}

// isUnreached reports whether there was no connection, or no token to ask with.
func isUnreached(err error) bool {
	return isUnconnected(err) || isDenied(err) || withoutToken(err) != ""
}

func isUnconnected(err error) bool {
	var network *net.OpError
	return errors.As(err, &network) && (network.Op == "dial" || network.Op == "proxyconnect")
}

// isDenied reports whether one side would not talk to the other: certificates that
// do not fit, and credentials for which there is no token.
func isDenied(err error) bool {
	var ours *tls.CertificateVerificationError
	var theirs *net.OpError
	token := withoutToken(err)
	return errors.As(err, &ours) || errors.As(err, &theirs) && theirs.Op == "remote error" ||
		token != "" && !isUnconnected(err) && !strings.Contains(token, "cannot fetch token: 5") // nobody's fault for long
}

// withoutToken is what the client library says where it has no token to ask with,
// which two libraries beneath it do, with types that only they know.
func withoutToken(err error) string {
	var request *url.Error
	if !errors.As(err, &request) {
		return ""
	}
	text := request.Err.Error()
	if strings.HasPrefix(text, "oauth2: ") || strings.HasPrefix(text, "auth: ") {
		return text
	}
	return ""
}

// noBucket is a clear word for the answer that there is no such thing.
func (b *Backend) noBucket(err error) error {
	return briefly{fmt.Sprintf("bucket %q: %v", b.name, storage.ErrBucketNotExist), errors.Join(storage.ErrBucketNotExist, err)}
}

// briefly is an error without what it repeats.
type briefly struct {
	text string
	error
}

func (e briefly) Error() string { return e.text }
func (e briefly) Unwrap() error { return e.error }

// brief leaves out addresses, which name the object, and pages of text.
func brief(err error) error {
	var done briefly
	var answer *googleapi.Error
	var request *url.Error
	switch {
	case errors.As(err, &done):
	case errors.As(err, &answer):
		text := answer.Message
		if text == "" {
			text = answer.Body
		}
		return briefly{fmt.Sprintf("%d %s: %.300q", answer.Code, http.StatusText(answer.Code), text), err}
	case errors.As(err, &request):
		return briefly{request.Op + ": " + strings.Join(strings.Fields(request.Err.Error()), " "), err}
	}
	return err
}
