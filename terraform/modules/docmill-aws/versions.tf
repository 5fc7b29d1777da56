terraform {
  # The provider's version is modules/service's to say.
  required_version = ">= 1.11"
}
