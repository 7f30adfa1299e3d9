package show

import "github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/control"

// virtualMAC gives the MAC address of a macvlan interface, nothing for another
// device.
func virtualMAC(r control.Router, device string) string {
	for _, v := range r.VMACs {
		if v.Name == device {
			return " (" + v.MAC + ")"
		}
	}
	return ""
}
