package vrrp

import "testing"

func TestVirtualMAC(t *testing.T) {
	for _, tt := range []struct {
		vrid uint8
		ipv4 bool
		want string
	}{
		{51, true, "00:00:5e:00:01:33"},
		{51, false, "00:00:5e:00:02:33"},
		{255, true, "00:00:5e:00:01:ff"},
		{1, false, "00:00:5e:00:02:01"},
	} {
		if got := VirtualMAC(tt.vrid, tt.ipv4).String(); got != tt.want {
			t.Errorf("VirtualMAC(%d, %v) = %s, want %s", tt.vrid, tt.ipv4, got, tt.want)
		}
	}
}

func TestParseMAC(t *testing.T) {
	for _, tt := range []struct {
		in   string
		want MAC // zero: refused
	}{
		{"00:00:5e:00:01:33", VirtualMAC(51, true)},
		{"02:AB:cd:00:00:00", MAC{2, 0xab, 0xcd}},
		{"00:00:00:00:00:00", MAC{}},
		{"01:00:5e:00:00:12", MAC{}}, // a group
		{"00:00:5e:00:01", MAC{}},
		{"00:00:5e:00:01:33:00", MAC{}},
		{"0:0:5e:0:1:33", MAC{}},
		{"00-00-5e-00-01-33", MAC{}},
		{"00:00:5e:00:01:+3", MAC{}},
		{"", MAC{}},
	} {
		got, err := ParseMAC(tt.in)
		if got != tt.want || (err == nil) != (tt.want != MAC{}) {
			t.Errorf("ParseMAC(%q) = %s, %v; want %s", tt.in, got, err, tt.want)
		}
	}
}
