package conformance

import (
	"fmt"
	"strings"
)

var configCases = []Case{
	{ID: "CFG-6", Name: "secrets_are_not_printed",
		Rule:          "no printed form of the backend and no error contains a secret",
		Why:           "More people read the logs of a program than its settings.",
		flags:         oneModeOnly | alsoNull,
		notApplicable: needsSecrets,
		run: func(t *attempt) {
			_, _, err := t.handle.Get(t.ctx, strings.Repeat("k", 1<<17))
			for where, printed := range map[string]string{
				"%v": fmt.Sprint(t.first), "%+v": fmt.Sprintf("%+v", t.first), "%#v": fmt.Sprintf("%#v", t.first), "an error": fmt.Sprint(err),
			} {
				for _, secret := range t.harness.Secrets {
					if strings.Contains(printed, secret) {
						t.wrong("a secret in "+where, text("it is present"), text("it is absent"))
					}
				}
			}
		}},
}

func needsSecrets(h Harness) string {
	if len(h.Secrets) == 0 {
		return "the harness names none (Harness.Secrets)"
	}
	return ""
}
