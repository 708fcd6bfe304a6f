{{ config(materialized='view') }}

{{ ignored_files_found() }}
