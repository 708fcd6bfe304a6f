{#- The form of an event's time: YYYY-MM-DD, T or a space, HH:MM:SS, then maybe a fraction, then maybe Z or an offset. -#}
{% macro event_time_pattern() -%}
    ^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})?\\z
{%- endmacro %}
