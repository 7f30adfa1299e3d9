# The director agent on every node with meta.role = "director".
#
#   nomad job run -var vip=192.0.2.1/24 -var secret=5525 director.nomad.hcl
#
# The node's meta may set router_id and priority; without them the node's name
# and priority 100 are used. Pools are one virtual server per run of this file,
# or anything at all: -var config="$(cat my-director.hcl.tpl)" replaces the
# generated configuration.

variable "datacenters" {
  type    = list(string)
  default = ["*"]
}

variable "node_pool" {
  type    = string
  default = "all"
}

variable "role" {
  type        = string
  default     = "director"
  description = "Value of meta.role on director nodes."
}

variable "driver" {
  type        = string
  default     = "raw_exec"
  description = "raw_exec, or exec: then the director runs as nobody with the capabilities net_admin and net_raw, which the client's plugin has to allow (allow_caps)."

  validation {
    condition     = var.driver == "raw_exec" || var.driver == "exec"
    error_message = "The variable driver must be raw_exec or exec."
  }
}

variable "binary" {
  type        = string
  default     = "/usr/bin/edgekeeper"
  description = "The program on the node, or, with artifact, local/edgekeeper."
}

variable "artifact" {
  type        = string
  default     = ""
  description = "Where to download the program from; empty when it is on the node. With the text meta.edgekeeper_version, in the braces of an interpolation, edgekeeper jobs upgrade exchanges it in the right order."
}

variable "vip" {
  type        = string
  description = "Virtual address with its prefix length, such as 192.0.2.1/24."

  validation {
    condition     = length(split("/", var.vip)) == 2
    error_message = "The variable vip must be an address with its prefix length, such as 192.0.2.1/24."
  }
}

variable "instance" {
  type        = string
  default     = "VI_1"
  description = "Name of the VRRP instance; the actions drain and undrain need it, also with a configuration of your own."
}

variable "interface" {
  type    = string
  default = "eth0"
}

variable "virtual_router_id" {
  type    = number
  default = 51

  validation {
    condition     = var.virtual_router_id >= 1 && var.virtual_router_id <= 255
    error_message = "The variable virtual_router_id must be from 1 to 255."
  }
}

variable "secret" {
  type        = string
  default     = ""
  description = "VRRP password, at most 8 bytes; empty for none."

  validation {
    condition     = strlen(var.secret) <= 8
    error_message = "The variable secret must have at most 8 bytes."
  }
}

variable "port" {
  type    = number
  default = 80
}

variable "service" {
  type        = string
  default     = "web"
  description = "Consul service whose instances are the real servers."
}

variable "scheduler" {
  type    = string
  default = "wrr"
}

variable "consul" {
  type        = string
  default     = "127.0.0.1:8500"
  description = "Address of the Consul agent."
}

variable "consul_identity" {
  type        = bool
  default     = false
  description = "Let Nomad fetch a Consul token for the director with its workload identity (nomad setup consul prepares Consul for that)."
}

variable "nomad" {
  type        = string
  default     = ""
  description = "Nomad's API, which is asked whether real servers that have left Consul were stopped: then none is held. Default: that of the node's own agent, by http."
}

variable "nomad_identity" {
  type        = bool
  default     = false
  description = "Ask Nomad with the workload identity of the director's task, for a Nomad with ACLs (a policy for the job says what it may read)."
}

variable "state_dir" {
  type        = string
  default     = ""
  description = "Default: /var/lib/edgekeeper; with exec a folder of the allocation."
}

variable "socket" {
  type        = string
  default     = ""
  description = "Default: /run/edgekeeper/director.sock; with exec one in the task's folder."
}

variable "config" {
  type        = string
  default     = ""
  description = "A whole configuration (a Nomad template) in place of the generated one."
}

locals {
  # host:port takes brackets around IPv6.
  host = length(split(":", var.vip)) > 1 ? "[${split("/", var.vip)[0]}]" : split("/", var.vip)[0]

  authentication = var.secret == "" ? "" : "authentication {\n    type   = \"pass\"\n    secret = \"${var.secret}\"\n  }"

  # An exec task sees its own folders only; cleanup shares the allocation's.
  exec      = var.driver == "exec"
  user      = local.exec ? "nobody" : ""
  caps      = local.exec ? ["net_admin", "net_raw"] : null
  drop      = local.exec ? ["all"] : null
  state_dir = var.state_dir != "" ? var.state_dir : local.exec ? "/alloc/data/edgekeeper" : "/var/lib/edgekeeper"
  socket    = var.socket != "" ? var.socket : local.exec ? "/local/director.sock" : "/run/edgekeeper/director.sock"

  token = var.consul_identity ? "token_file = \"{{ env \"NOMAD_SECRETS_DIR\" }}/consul_token\"" : ""

  nomad_token = var.nomad_identity ? "\n  token_file = \"{{ env \"NOMAD_SECRETS_DIR\" }}/nomad_token\"" : ""
  nomad       = var.nomad == "" ? "{{ with env \"attr.unique.advertise.address\" }}nomad {\n  address = \"http://{{ . }}\"${local.nomad_token}\n}{{ end }}" : "nomad {\n  address = \"${var.nomad}\"${local.nomad_token}\n}"

  generated = <<-EOT
    router_id = "{{ with env "meta.router_id" }}{{ . }}{{ else }}{{ env "node.unique.name" }}{{ end }}"
    state_dir = "${local.state_dir}"

    control {
      socket = "${local.socket}"
    }

    consul {
      address = "${var.consul}"
      ${local.token}
    }

    ${local.nomad}

    vrrp "${var.instance}" {
      interface         = "${var.interface}"
      virtual_router_id = ${var.virtual_router_id}
      priority          = {{ with env "meta.priority" }}{{ . }}{{ else }}100{{ end }}
      ${local.authentication}
      virtual_address "${var.vip}" {}
    }

    virtual_server "${var.service}" {
      address   = "${local.host}:${var.port}"
      scheduler = "${var.scheduler}"
      forward   = "dr"

      service "${var.service}" {}

      check "tcp" {
        interval    = "2s"
        timeout     = "1s"
        retries     = 2
        retry_delay = "1s"
      }
    }
  EOT
}

job "edgekeeper-director" {
  type        = "system"
  priority    = 90
  datacenters = var.datacenters
  node_pool   = var.node_pool

  constraint {
    attribute = "${meta.role}"
    value     = var.role
  }

  # One director at a time. Before Nomad 1.11, which makes deployments of system
  # jobs, stagger alone is the pace. Nomad chooses the order: edgekeeper jobs
  # upgrade goes by who is master.
  update {
    max_parallel     = 1
    stagger          = "15s"
    min_healthy_time = "15s"
  }

  group "director" {
    # Never give up on a director.
    restart {
      interval = "1m"
      attempts = 3
      delay    = "2s"
      mode     = "delay"
    }

    task "director" {
      driver = var.driver
      user   = local.user

      config {
        command  = var.binary
        args     = ["director", "-config", "${NOMAD_TASK_DIR}/director.hcl"]
        cap_add  = local.caps
        cap_drop = local.drop
      }

      # For commands run beside it: nomad alloc exec ... edgekeeper status
      env {
        EDGEKEEPER_SOCKET = local.socket
      }

      dynamic "artifact" {
        for_each = var.artifact == "" ? [] : [var.artifact]
        content {
          source = artifact.value
        }
      }

      dynamic "identity" {
        for_each = var.consul_identity ? ["consul_default"] : []
        content {
          name = identity.value
          aud  = ["consul.io"]
          ttl  = "1h"
        }
      }

      dynamic "identity" {
        for_each = var.nomad_identity ? ["default"] : []
        content {
          file = true
        }
      }

      # A restart would move the VIP; the director takes a new file at SIGHUP.
      template {
        destination   = "local/director.hcl"
        data          = var.config == "" ? local.generated : var.config
        change_mode   = "signal"
        change_signal = "SIGHUP"
      }

      # SIGTERM hands the VIP over, which takes up to two seconds.
      kill_signal  = "SIGTERM"
      kill_timeout = "10s"

      # nomad action -job edgekeeper-director -group director -task director NAME
      action "status" {
        command = var.binary
        args    = ["status"]
      }

      action "plan" {
        command = var.binary
        args    = ["plan", "-config", "local/director.hcl"]
      }

      action "handover" {
        command = var.binary
        args    = ["handover"]
      }

      # Gives the VIP away and takes it only when nobody else is there.
      action "drain" {
        command = var.binary
        args    = ["priority", var.instance, "1"]
      }

      action "undrain" {
        command = var.binary
        args    = ["priority", "-reset", var.instance]
      }

      resources {
        cpu    = 200
        memory = 128
      }
    }

    # When the director was killed, this takes off what it left.
    task "cleanup" {
      driver = var.driver
      user   = local.user

      lifecycle {
        hook = "poststop"
      }

      # Not again and again: an allocation whose program cannot be fetched would
      # never end.
      restart {
        attempts = 1
        delay    = "1s"
        mode     = "fail"
      }

      config {
        command  = var.binary
        args     = ["cleanup", "-state-dir", local.state_dir]
        cap_add  = local.caps
        cap_drop = local.drop
      }

      dynamic "artifact" {
        for_each = var.artifact == "" ? [] : [var.artifact]
        content {
          source = artifact.value
        }
      }

      resources {
        cpu    = 50
        memory = 32
      }
    }
  }
}
