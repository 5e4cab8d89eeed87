package gcs

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"

	"cloud.google.com/go/storage"
	"github.com/cachebackends/cachebackends/core/driver"
	"github.com/cachebackends/cachebackends/core/driver/remote"
	"google.golang.org/api/googleapi"
)

var (
	// errAbsent means that there is no such object.
	errAbsent = errors.New("no such object")
	// errCondition means that the condition of a write does not hold.
	errCondition = errors.New("the condition of the write does not hold")
)

// fault says what an error means for the request that failed.
type fault int

const (
	final      fault = iota // another attempt would fail alike
	refused                 // not executed, for now
	unanswered              // may have been executed
	unreached               // not sent
	foreign                 // a reply of another server, which may have forwarded the request
)

// isTemporary reports whether another attempt may succeed soon.
func (f fault) isTemporary() bool { return f == refused || f == unanswered }

func faultOf(err error) fault {
	var uncertain uncertainError
	switch code := status(err); {
	case isForeignError(err):
		return foreign
	case errors.As(err, &uncertain):
		return unanswered
	case code == http.StatusTooManyRequests, code == http.StatusServiceUnavailable, hasReason(err, "rateLimitExceeded"):
		return refused
	case code == http.StatusRequestTimeout, code >= http.StatusInternalServerError:
		return unanswered
	case code != 0:
		return final
	case remote.IsUnsent(err), isUntrusted(err), tokenFailure(err) != "":
		return unreached
	}
	return unanswered
}

// uncertainError is the error of an attempt that may have been executed although the
// status is that of a refusal.
type uncertainError struct{ error }

func (e uncertainError) Unwrap() error { return e.error }

// failure makes an error of package driver of the error of a request that changed
// nothing.
func failure(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	short := brief(err)
	code, fault := status(err), faultOf(err)
	switch {
	case fault == refused, fault == foreign, errors.Is(err, storage.ErrBucketNotExist):
		return fmt.Errorf("%w: %w", driver.ErrUnavailable, short)
	case code == http.StatusNotFound:
		return errAbsent
	case code == http.StatusPreconditionFailed:
		return errCondition
	case hasReason(err, "retentionPolicyNotMet"), hasReason(err, "objectUnderActiveHold"):
		return fmt.Errorf("object is under a hold or a retention policy: %w", short)
	case code == http.StatusUnauthorized, code == http.StatusForbidden, isDenied(err):
		return fmt.Errorf("%w: %w", driver.ErrAuth, short)
	case code == http.StatusRequestEntityTooLarge:
		return fmt.Errorf("%w: %w", driver.ErrTooLarge, short)
	case fault == final:
		return short
	}
	return remote.Outcome(ctx, short, false)
}

// status is the status code of the response that err is about, 0 for none.
func status(err error) int {
	var response *googleapi.Error
	switch {
	case errors.As(err, &response):
		return response.Code
	case errors.Is(err, storage.ErrObjectNotExist), errors.Is(err, storage.ErrBucketNotExist):
		return http.StatusNotFound
	}
	return 0
}

// hasReason reports whether the service gives this reason, of which
// "userRateLimitExceeded" is a kind of "rateLimitExceeded":
// https://cloud.google.com/storage/docs/json_api/v1/status-codes
func hasReason(err error, reason string) bool {
	var response *googleapi.Error
	if !errors.As(err, &response) {
		return false
	}
	for _, item := range response.Errors {
		if strings.HasSuffix(strings.ToLower(item.Reason), strings.ToLower(reason)) {
			return true
		}
	}
	return false
}

// isForeignError reports whether somebody else than the service responded. A response
// to a borrowed client is seen only by what cannot be made of it.
func isForeignError(err error) bool {
	var reply foreignReply
	var syntax *json.SyntaxError
	var mismatch *json.UnmarshalTypeError
	code := status(err)
	return errors.As(err, &reply) || errors.As(err, &syntax) || errors.As(err, &mismatch) || code >= 300 && code < 400
}

// isUntrusted reports whether one side rejected the certificate of the other.
func isUntrusted(err error) bool {
	var ours *tls.CertificateVerificationError
	var theirs *net.OpError
	return errors.As(err, &ours) || errors.As(err, &theirs) && theirs.Op == "remote error"
}

// isDenied reports whether certificates or credentials were rejected. A failed dial
// and a status of 500 and more of the token endpoint are temporary.
func isDenied(err error) bool {
	var network *net.OpError
	isUnconnected := errors.As(err, &network) && (network.Op == "dial" || network.Op == "proxyconnect")
	token := tokenFailure(err)
	return isUntrusted(err) || token != "" && !isUnconnected && !strings.Contains(token, "cannot fetch token: 5")
}

// tokenFailure is the text of an error of the two libraries that fetch tokens. Their
// types are internal.
func tokenFailure(err error) string {
	var request *url.Error
	if errors.As(err, &request) {
		if text := request.Err.Error(); strings.HasPrefix(text, "oauth2: ") || strings.HasPrefix(text, "auth: ") {
			return text
		}
	}
	return ""
}

// noBucket names the bucket, which the response does not.
func (b *Backend) noBucket(err error) error {
	return briefError{fmt.Sprintf("bucket %q: %v", b.options.Bucket, storage.ErrBucketNotExist), errors.Join(storage.ErrBucketNotExist, err)}
}

// briefError has a shorter text than the error it wraps.
type briefError struct {
	text string
	error
}

func (e briefError) Error() string { return e.text }
func (e briefError) Unwrap() error { return e.error }

// brief leaves out addresses, which name the object, and pages of text.
func brief(err error) error {
	var done briefError
	var response *googleapi.Error
	var request *url.Error
	switch {
	case errors.As(err, &done):
	case errors.As(err, &response):
		text := response.Message
		if text == "" {
			text = response.Body
		}
		return briefError{fmt.Sprintf("%d %s: %.300q", response.Code, http.StatusText(response.Code), text), err}
	case errors.As(err, &request):
		return briefError{request.Op + ": " + strings.Join(strings.Fields(request.Err.Error()), " "), err}
	}
	return err
}
