package config

import (
	"fmt"
	"io"
	"log/slog"
)

// hidden is what is shown in a secret's place.
const hidden = "(hidden)"

// Secret is text that must not be seen: it prints, logs and marshals as
// "(hidden)", and as nothing when empty. Reveal gives the text to the code that
// needs it. The zero value is empty. Compare with Equal or reflect.DeepEqual:
// == compares identities.
type Secret struct {
	// A pointer, because package fmt prints the fields of a struct without their
	// methods when the verb is wrong for the struct (%s of a *Consul).
	text *string
}

// NewSecret hides a text.
func NewSecret(text string) Secret {
	if text == "" {
		return Secret{}
	}
	return Secret{text: &text}
}

// Reveal gives the secret itself.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// Equal reports whether two secrets hide the same text.
func (s Secret) Equal(o Secret) bool { return s.Reveal() == o.Reveal() }

// String hides the secret.
func (s Secret) String() string {
	if s.Reveal() == "" {
		return ""
	}
	return hidden
}

// Format hides the secret from every verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// MarshalText hides the secret from JSON and other encoders.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// LogValue hides the secret from package slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }
