# An image with everything that `join.sh` would otherwise download, and the script itself, as a version of an image definition in a gallery:
# packer init . && packer build -var-file=my.pkrvars.hcl . No secret and no setting of a cluster is in it.
packer {
  required_version = ">= 1.9.0"
  required_plugins {
    azure = {
      version = ">= 2.1.0, < 3.0.0"
      source  = "github.com/hashicorp/azure"
    }
  }
}

variable "subscription" {
  type = string
  validation {
    condition     = can(regex("^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$", var.subscription))
    error_message = "Expected the id of a subscription."
  }
}

variable "location" {
  type        = string
  description = "Where the image is made and kept, such as westeurope: where its machines will be."
  validation {
    condition     = can(regex("^[a-z0-9]{1,60}$", var.location))
    error_message = "Expected a location as Azure writes it, such as westeurope."
  }
}

variable "gallery_group" {
  type        = string
  description = "The resource group of the gallery."
}

variable "gallery" {
  type = string
}

variable "image" {
  type        = string
  default     = "node"
  description = "The image definition: Linux, generalized, generation 2."
}

variable "image_version" {
  type        = string
  description = "The version to be made, which a policy can pin."
  validation {
    condition     = can(regex("^[0-9]{1,10}\\.[0-9]{1,10}\\.[0-9]{1,10}$", var.image_version))
    error_message = "Expected a version like 1.4.0."
  }
}

variable "distribution" {
  type = string
  validation {
    condition     = can(regex("^(k3s|kubeadm)$", var.distribution))
    error_message = "Expected k3s or kubeadm."
  }
}

variable "kubernetes" {
  type        = string
  description = "Such as v1.33.4+k3s1 for k3s and v1.33.4 for kubeadm."
  validation {
    condition     = can(regex("^v1\\.[0-9]{1,3}\\.[0-9]{1,3}(\\+k3s[0-9]{1,2})?$", var.kubernetes))
    error_message = "Expected a version like v1.33.4+k3s1 or v1.33.4."
  }
}

variable "sha256" {
  type        = map(string)
  description = "The digests, as published beside the files: of k3s and installer, or of kubeadm, kubelet and kubectl."
}

variable "vm_size" {
  type    = string
  default = "Standard_D2s_v5"
}

variable "storage" {
  type        = string
  default     = "Standard_ZRS"
  description = "Where the version is kept: over the zones of the location, or Standard_LRS where it has none."
  validation {
    condition     = can(regex("^Standard_[LZ]RS$", var.storage))
    error_message = "Expected Standard_ZRS or Standard_LRS."
  }
}

source "azure-arm" "node" {
  use_azure_cli_auth = true
  subscription_id    = var.subscription
  location           = var.location
  vm_size            = var.vm_size
  os_type            = "Linux"
  image_publisher    = "Canonical"
  image_offer        = "ubuntu-24_04-lts"
  image_sku          = "server"
  ssh_username       = "packer"
  shared_image_gallery_destination {
    subscription         = var.subscription
    resource_group       = var.gallery_group
    gallery_name         = var.gallery
    image_name           = var.image
    image_version        = var.image_version
    storage_account_type = var.storage
    target_region {
      name = var.location
    }
  }
}

build {
  sources = ["source.azure-arm.node"]

  provisioner "file" {
    source      = "${path.root}/../../k3s-lambda/bootstrap/join.sh"
    destination = "/home/packer/join.sh"
  }

  provisioner "shell" {
    script          = "${path.root}/install.sh"
    execute_command = "sudo env {{ .Vars }} bash '{{ .Path }}'"
    environment_vars = [
      "JOIN=/home/packer/join.sh",
      "DISTRIBUTION=${var.distribution}",
      "KUBERNETES=${var.kubernetes}",
      "DIGESTS=${join(" ", [for name, digest in var.sha256 : "${name}=${digest}"])}",
    ]
  }

  # What belongs to this one machine goes: its user, keys and logs.
  provisioner "shell" {
    execute_command = "sudo bash '{{ .Path }}'"
    inline_shebang  = "/bin/bash -eu"
    inline          = ["cloud-init clean --logs", "waagent -force -deprovision+user", "sync"]
  }
}
