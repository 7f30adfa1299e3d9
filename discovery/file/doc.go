// Package file is a catalog made of files, for sites without Consul.
//
// A [Catalog] reads the files of one folder whose names end in .hcl or .json,
// in lexical order and not those of folders inside, as a Consul agent does with
// -config-dir. They are Consul service definitions; the same file can be given
// to an agent later. A file speaks for one node: its node_name, else its name
// without the ending.
//
//	node_name = "web-1"
//	service {
//	  name    = "web"
//	  address = "10.0.0.4"
//	  port    = 80
//	  tags    = ["prod"]
//	  weights { passing = 10  warning = 1 }
//	}
//
// Keys are taken in both of Consul's styles (tagged_addresses, TaggedAddresses).
// Keys of a service or check that Consul does not know are refused; whatever
// else an agent's configuration holds is passed over, as are the parts of a
// definition that only a Consul agent can act on. Two things differ: several
// service blocks may stand in one file, and address is required and must be an
// IP address, because there is no agent whose address could stand in.
//
// # State
//
// Nothing here runs checks; native checks do that. An instance is passing but
// for what its check definitions say: the status field (Consul's initial status)
// with passing, warning or critical, and, by their id, the checks with which
// Consul marks maintenance: _node_maintenance and _service_maintenance:<id>.
// The worst counts. A check at the top of a file belongs to the service that
// its service_id names, or to the node and so to every service of the file.
//
// # Changes
//
// The folder is watched, and looked through every few seconds besides, for file
// systems that do not tell. A burst of changes is left to settle. A file that is
// wrong, or empty, or cannot be read, changes nothing: what it said before
// stands, and every answer carries a warning with file, line and column. A file
// that is removed takes its instances with it. While a file that was there from
// the beginning has never been right, what the services are is not known, and
// answers are errors.
//
// A [KV] is one JSON object of keys and values in a file, with the keys that
// Consul's KV would have below the prefix.
package file
