{#- The start of the window that a timestamp is in: windows of `window_minutes` count from midnight UTC, half-open. -#}
{% macro window_start(column) -%}
    timestamp_seconds(
        unix_seconds({{ column }}) - pmod(unix_seconds({{ column }}), {{ var('window_minutes') * 60 }})
    )
{%- endmacro %}


{#- How long a window is, as an interval. -#}
{% macro window_length() -%}
    make_dt_interval(0, 0, {{ var('window_minutes') }})
{%- endmacro %}
