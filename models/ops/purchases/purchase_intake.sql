{{ config(materialized='view') }}

{{ landed_files_of('purchases') }}
