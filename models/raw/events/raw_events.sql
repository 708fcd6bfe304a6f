{{ config(materialized='landed', alias='events', tblproperties={'delta.dataSkippingStatsColumns': 'path'}) }}

{{ landed(source('landing', 'events')) }}
